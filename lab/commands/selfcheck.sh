# is the lab itself sound? the same guests on QEMU's own NVMe devices, and what QEMU does when nobody serves

command_selfcheck() {
    run_begin selfcheck
    nvme_one one emulated_nvme || true
    nvme_many four emulated_nvme 4 || true
    verdict
}
