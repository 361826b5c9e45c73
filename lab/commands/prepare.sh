# build the cache: QEMU, the guest's kernel and the guest images (the other commands do it when it is missing)

command_prepare() {
    local guest
    prepare
    prepare_kernel
    lock shared
    for guest in "$LAB"/guests/*/contents; do
        image_of "$(basename "$(dirname "$guest")")" >/dev/null
    done
    progress "ready: $(in_root qemu-system-x86_64 --version | head -n 1), kernel $(cat "$ROOT/guest/version")"
}
