# Working in the root: mounts (in our own namespace: they end with us), and running a program there.

enter_root() {
    local root=$1 name
    for name in proc dev sys; do
        mountpoint -q "$root/$name" || mount --rbind "/$name" "$root/$name"
    done
}

# bind FROM TO: the host's directory FROM seen at TO.
bind() {
    mkdir -p "$2"
    mount --bind "$1" "$2"
}

# in_root COMMAND...: in the finished root, with nothing of the host's environment.
in_root() { chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
