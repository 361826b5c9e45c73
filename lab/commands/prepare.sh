# build the cache: QEMU, the kernels, the guest images (the other commands do what of it they miss; only this one does all)

command_prepare() {
    local guest
    prepare
    prepare_kernel
    lock shared
    for guest in "$LAB"/guests/*/contents; do
        image_of "$(basename "$(dirname "$guest")")" >/dev/null
    done
    progress "ready: $(in_root qemu-system-x86_64 --version | head -n 1), kernels $(cat "$ROOT/guest/version") and $(cat "$KERNEL/version")"
}
