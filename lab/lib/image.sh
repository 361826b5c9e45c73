# Builds a guest's image from guests/NAME: an initramfs with busybox, and the modules, programs and files that its
# `contents` names, taken from the root, and selftests of the lab's kernel. Its name carries the hash of everything that goes
# in, so it is never stale.

# image_of NAME: builds what is missing and prints the image's file name in $IMAGES.
image_of() {
    local name=$1 hash image
    hash=$({ echo "$ROOT_VERSION"; ! on_lab_kernel "$name" || echo "$KERNEL_HASH"; cat "$LAB/lib/image.sh"
        image_sources "$name" | xargs -I{} find {} -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum | cut -c1-12)
    image=$name-$hash.cpio.gz
    [[ -f $IMAGES/$image ]] || build_image "$name" "$IMAGES/$image"
    echo "$image"
}

# The directories that an image is made of.
image_sources() {
    printf '%s\n' "$LAB/guests/common" "$LAB/guests/$1"
    sed -n "s|^compiled |$LAB/|p" "$LAB/guests/$1/contents"
}

# A guest boots Debian's kernel, or with the line "kernel lab" in its contents the lab's own (everything is built into that one).
on_lab_kernel() { grep -qx 'kernel lab' "$LAB/guests/$1/contents"; }

build_image() {
    local name=$1 image=$2 tree kind what
    progress "building the image of guest $name"
    mkdir -p "$IMAGES"
    tree=$(mktemp -d "$IMAGES/$name.XXXXXX")
    mkdir -p "$tree"/{dev,proc,sys,run,tmp,mnt,lab,root,usr/bin,usr/sbin,usr/lib,usr/lib64}
    ln -s usr/bin usr/sbin usr/lib usr/lib64 "$tree/"
    while read -r kind what; do
        case $kind in
        module) image_module "$tree" "$what" ;;
        program) image_program "$tree" "$what" ;;
        compiled) image_compiled "$tree" "$what" ;;
        file) install -D "$ROOT$what" "$tree$what" ;;
        selftest) install "$KERNEL/selftests/$what" "$tree/usr/bin/$what" ;;
        kernel) [[ $what == lab ]] || die "guests/$name/contents: which kernel is '$what'?" ;;
        '' | '#'*) ;;
        *) die "guests/$name/contents: what is '$kind'?" ;;
        esac
    done <"$LAB/guests/$name/contents"
    image_busybox "$tree"
    cp "$LAB"/guests/common/* "$LAB/guests/$name"/* "$tree/lab/"
    ln -s lab/init "$tree/init"
    # Images of older scripts go; not those of today, which another checkout may be using.
    find "$IMAGES" -mindepth 1 -maxdepth 1 -mtime +0 -exec rm -rf {} +
    (cd "$tree" && find . -print0 | cpio --quiet --null --create --format=newc | gzip -1) >"$tree.partial"
    rm -rf "$tree"
    mv "$tree.partial" "$image"
}

# A module and all that it needs, in the order that insmod wants: modprobe knows it (soft dependencies too).
image_module() {
    local tree=$1 module=$2 version path name
    version=$(cat "$ROOT/guest/version")
    while read -r _ path _; do
        name=$(basename "$path" .xz)
        xz -dc "$ROOT$path" >"$tree/lib/$name"
        echo "$name" >>"$tree/lab/modules.$module"
    done < <(in_root modprobe -d /guest -S "$version" --show-depends "$module" | grep '^insmod ')
}

# A program and the libraries that the loader would give it.
image_program() {
    local tree=$1 program=$2 path library
    path=$(in_root which "$program") || die "no program $program in the root"
    install -D "$ROOT$path" "$tree$path"
    while read -r library; do
        [[ -f $tree$library ]] || install -D "$ROOT$library" "$tree$library"
    done < <(in_root ldd "$path" | grep -oE '/[^ ]+')
}

# A program of our own in C, lab/NAME/*.c, compiled on the host; static, so that it brings its libraries.
image_compiled() {
    local tree=$1 name=$2
    host_packages gcc libc6-dev
    gcc -std=gnu17 -static -O2 -Wall -Wextra -Werror -o "$tree/usr/bin/$name" "$LAB/$name"/*.c
}

# busybox gives every name that no real program has taken.
image_busybox() {
    local tree=$1 applet
    cp "$ROOT/usr/bin/busybox" "$tree/usr/bin/busybox"
    while read -r applet; do
        [[ -e $tree/usr/sbin/$applet || -e $tree/usr/bin/$applet ]] || ln -s busybox "$tree/usr/bin/$applet"
    done < <(in_root busybox --list)
}
