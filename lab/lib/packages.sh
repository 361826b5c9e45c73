# What is installed where. A change here makes a new root.

SUITE=trixie

# On the host.
HOST_PACKAGES=(debootstrap cpio xz-utils)

# In the root, from trixie: what the guests are made of, kmod to order the modules, jq for this side.
ROOT_PACKAGES=(jq busybox-static kmod fio nvme-cli pciutils pci.ids e2fsprogs)

# In the root, from trixie-backports: vfio-user-pci came with QEMU 10.1, trixie itself has 10.0.
BACKPORTS_PACKAGES=(qemu-system-x86 qemu-utils)

# Unpacked into the root, not installed: a kernel that is never booted here needs no initramfs and no boot loader.
KERNEL_PACKAGE=linux-image-amd64
