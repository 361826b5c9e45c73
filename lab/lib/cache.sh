# The cache outside the repository: one root file system per version of its recipe, and guest images. One writer at a time.

CACHE=${VFIO_LAB_CACHE:-/var/cache/vfio-lab}

# The root's name carries the hash of what builds it: a changed recipe is a new root, an unchanged one is found again.
ROOT_VERSION=$(cat "$LAB"/lib/{stage,prepare,packages}.sh | sha256sum | cut -c1-12)
ROOT=$CACHE/root-$ROOT_VERSION
IMAGES=$CACHE/images

# lock shared|exclusive: runs share the cache, prepare and clean have it alone. Held until this process ends.
lock() {
    mkdir -p "$CACHE"
    exec {LOCK}>>"$CACHE/lock"
    flock --nonblock "--$1" "$LOCK" && return
    progress "waiting for another lab/run to release $CACHE"
    flock "--$1" "$LOCK"
}

unlock() { exec {LOCK}>&-; }

# The kernel has a lock of its own.
lock_kernel() {
    mkdir -p "$CACHE"
    exec {KERNEL_LOCK}>>"$CACHE/kernel.lock"
    flock --nonblock "$KERNEL_LOCK" && return
    progress "waiting for another lab/run to build the kernel"
    flock "$KERNEL_LOCK"
}

unlock_kernel() { exec {KERNEL_LOCK}>&-; }
