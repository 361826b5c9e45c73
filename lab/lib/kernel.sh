# Builds the lab's own kernel, once, for guests that need what no Debian kernel has (iommufd, VFIO cdevs), and the kernel's
# VFIO selftests with it: Debian's source, the options of kernel/config, the toolchain of a trixie root made for the purpose.

# From trixie-backports: the version that docs and tests mean by "the kernel".
KERNEL_SOURCE=linux-source-7.2
TOOLCHAIN_PACKAGES=(gcc libc6-dev make flex bison bc libelf-dev libssl-dev uuid-dev rsync python3-minimal xz-utils cpio kmod)
SELFTESTS=(vfio_iommufd_setup_test vfio_pci_device_test vfio_dma_mapping_test vfio_dma_mapping_mmio_test)

# Debian's updates of the source are not in the hash: what was built stays.
KERNEL_HASH=$(cat "$LAB/lib/kernel.sh" "$LAB"/kernel/* | sha256sum | cut -c1-12)
KERNEL=$CACHE/kernel-$KERNEL_HASH

# prepare_kernel: leaves bzImage, config, version, selftests/ and the logs of their making in $KERNEL. A cut costs one stage, and of
# make's only what was being compiled.
prepare_kernel() {
    local begun=$SECONDS PARTIAL=$KERNEL.partial DEBS=$CACHE/kernel-debs STAGE_LOG=$CACHE/kernel.log
    [[ -d $KERNEL ]] && return
    # It shares nothing with the root, fetched packages neither: a root can be built beside it.
    lock_building kernel
    if [[ ! -d $KERNEL ]]; then
        host_packages
        mkdir -p "$DEBS/partial"
        stage base
        enter_root "$PARTIAL"
        bind "$DEBS" "$PARTIAL/var/cache/apt/archives"
        stage toolchain
        stage source
        build_kernel
        umount --recursive --lazy "$PARTIAL"/{proc,dev,sys,var/cache/apt/archives}
        mv "$PARTIAL/out" "$KERNEL"
        rm -rf --one-file-system "$PARTIAL"
        find "$CACHE" -mindepth 1 -maxdepth 1 -type d -name 'kernel-????????????*' -mtime +1 -exec rm -rf --one-file-system {} +
        progress "kernel $(cat "$KERNEL/version") is ready after $((SECONDS - begun)) s: $KERNEL"
    fi
    unlock_building
}

build_kernel() {
    local stage terminal
    mkdir -p "$PARTIAL/out"
    progress "building Linux: about eight minutes of two cores (${PARTIAL}/out/bzimage.log)"
    exec {terminal}>&2
    for stage in configure bzimage selftests; do
        STAGE_LOG=$PARTIAL/out/$stage.log
        stage "$stage"
    done
    exec {terminal}>&-
}

# What make says goes to the log; how far it has come, to whoever waits.
counted() {
    local line steps=0
    while IFS= read -r line; do
        echo "$line"
        ((++steps % 200)) || echo "lab: $steps of about 1900 steps" >&"$terminal"
    done
}

stage_toolchain() {
    backports_apt
    in_partial apt-get -q -y install --no-install-recommends "${TOOLCHAIN_PACKAGES[@]}"
}

stage_source() {
    # One version: of another day's there would be a second.
    rm -rf "$PARTIAL"/{source,linux} "$DEBS/${KERNEL_SOURCE}"_*.deb
    in_partial sh -ec "cd /var/cache/apt/archives && apt-get -q download $KERNEL_SOURCE && dpkg-deb -x ${KERNEL_SOURCE}_*.deb /source &&
        tar -xf /source/usr/src/$KERNEL_SOURCE.tar.xz && mv $KERNEL_SOURCE /linux"
    rm -rf "$PARTIAL/source"
}

# Every option that was asked for must be in the result: a name that the kernel dropped is silently ignored.
stage_configure() {
    local wanted=$PARTIAL/linux/lab.config
    cp "$LAB/kernel/config" "$wanted"
    in_partial make -C /linux KCONFIG_ALLCONFIG=lab.config allnoconfig
    if grep '^CONFIG_' "$wanted" | grep -vxFf "$PARTIAL/linux/.config"; then
        echo "the kernel's configuration does not take what is listed above"
        return 1
    fi
    cp "$PARTIAL/linux/.config" "$PARTIAL/out/config"
}

stage_bzimage() {
    in_partial make -C /linux -j "$(nproc)" KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab bzImage | counted
    cp "$PARTIAL/linux/arch/x86/boot/bzImage" "$PARTIAL/out/bzImage"
    in_partial make -s -C /linux kernelrelease >"$PARTIAL/out/version"
}

# Static, so that they run in any guest. 7.2's do not compile as they are: kernel/missing.h says what is missing.
stage_selftests() {
    cp "$LAB/kernel/missing.h" "$PARTIAL/linux/lab-missing.h"
    in_partial make -C /linux headers
    in_partial mkdir -p /selftests
    in_partial make -C /linux/tools/testing/selftests/vfio -j "$(nproc)" OUTPUT=/selftests EXTRA_CFLAGS="-include /linux/lab-missing.h" \
        LDFLAGS="-static -pthread" "${SELFTESTS[@]/#//selftests/}"
    mkdir -p "$PARTIAL/out/selftests"
    cp "${SELFTESTS[@]/#/$PARTIAL/selftests/}" "$PARTIAL/out/selftests"
}
