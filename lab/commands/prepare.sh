# build the cache: QEMU, the guest's kernel and the guest images (the other commands do it when it is missing)

command_prepare() {
    prepare
    progress "ready: $(in_root qemu-system-x86_64 --version | head -n 1), kernel $(cat "$ROOT/guest/version")"
}
