# Builds the root, once: Debian trixie with QEMU of its backports, the guest's kernel, and the programs for guests.
# It grows in stages (lib/stage.sh) under a temporary name; the last step renames it.

prepare() {
    local PARTIAL=$ROOT.partial DEBS=$CACHE/debs STAGE_LOG=$CACHE/prepare.log
    [[ -d $ROOT ]] && return
    lock_building root
    if [[ ! -d $ROOT ]]; then
        local begun=$SECONDS
        host_packages
        mkdir -p "$DEBS/partial"
        stage base
        # Packages that were fetched are kept beside the root: the next recipe, or the next attempt, has them at hand.
        enter_root "$PARTIAL"
        bind "$DEBS" "$PARTIAL/var/cache/apt/archives"
        stage packages
        stage kernel
        umount --recursive --lazy "$PARTIAL"/{proc,dev,sys,var/cache/apt/archives}
        mv "$PARTIAL" "$ROOT"
        prune_roots
        progress "the root is ready after $((SECONDS - begun)) s: $(du -sh "$ROOT" | cut -f1) in $ROOT"
    fi
    unlock_building
}

stage_base() {
    rm -rf "$PARTIAL"
    debootstrap --variant=minbase --cache-dir="$DEBS" "$SUITE" "$PARTIAL" "$(debian_mirror)"
}

stage_packages() {
    backports_apt
    in_partial apt-get -q -y install --no-install-recommends "${ROOT_PACKAGES[@]}"
    in_partial apt-get -q -y install --no-install-recommends -t "$SUITE-backports" "${BACKPORTS_PACKAGES[@]}"
    # The one reason for backports: without this device nothing here can work.
    in_partial qemu-system-x86_64 -device help | grep "\"vfio-user-pci\"" >/dev/null
}

# apt of the root in $PARTIAL, ready to install from trixie and from its backports.
backports_apt() {
    echo "deb $(debian_mirror) $SUITE-backports main" >"$PARTIAL/etc/apt/sources.list.d/backports.list"
    # No service may start in there, and no documentation is read there.
    printf '#!/bin/sh\nexit 101\n' >"$PARTIAL/usr/sbin/policy-rc.d"
    chmod +x "$PARTIAL/usr/sbin/policy-rc.d"
    echo 'APT::Keep-Downloaded-Packages "true";' >"$PARTIAL/etc/apt/apt.conf.d/90keep"
    in_partial dpkg --configure -a
    in_partial apt-get -q update
}

stage_kernel() {
    local package
    package=$(in_partial apt-cache depends "$KERNEL_PACKAGE" | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
    in_partial sh -ec "cd /var/cache/apt/archives && apt-get -q download $package && rm -rf /guest && mkdir /guest &&
        dpkg-deb -x ${package}_*.deb /guest"
    # One kernel, under names that do not change with its version.
    echo "${package#linux-image-}" >"$PARTIAL/guest/version"
    ln "$PARTIAL/guest/boot/vmlinuz-${package#linux-image-}" "$PARTIAL/guest/vmlinuz"
    [[ -e $PARTIAL/guest/lib ]] || ln -s usr/lib "$PARTIAL/guest/lib"
    in_partial depmod -b /guest "${package#linux-image-}"
}

# Roots of other recipes, once nobody has used them for two days (a second checkout may be at another recipe).
prune_roots() { find "$CACHE" -mindepth 1 -maxdepth 1 -name 'root-*' -mtime +1 -exec rm -rf --one-file-system {} +; }
