# The cache outside the repository: a root file system and a kernel per version of their recipes, and guest images. One builder at a time.

CACHE=${VFIO_LAB_CACHE:-/var/cache/vfio-lab}

# The root's name carries the hash of what builds it: a changed recipe is a new root, an unchanged one is found again.
ROOT_VERSION=$(cat "$LAB"/lib/{stage,prepare,packages}.sh | sha256sum | cut -c1-12)
ROOT=$CACHE/root-$ROOT_VERSION
IMAGES=$CACHE/images

# lock shared|exclusive: runs share the cache, clean has it alone. Held until this process ends.
lock() {
    mkdir -p "$CACHE"
    exec {LOCK}>>"$CACHE/lock"
    await_lock "--$1" "$LOCK" "waiting for another lab/run to release $CACHE"
}

# lock_building WHAT, unlock_building: one builder of it at a time. Runs on what has been built go on beside it.
lock_building() {
    mkdir -p "$CACHE"
    exec {BUILDING}>>"$CACHE/$1.lock"
    await_lock --exclusive "$BUILDING" "waiting for another lab/run that builds the $1"
}

unlock_building() { exec {BUILDING}>&-; }

await_lock() { # HOW DESCRIPTOR WHY
    flock --nonblock "$1" "$2" && return
    progress "$3"
    flock "$1" "$2"
}
