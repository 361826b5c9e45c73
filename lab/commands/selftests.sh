# [OPTIONS of vfio serve] the kernel's VFIO selftests in a guest with an IOMMU: our NVMe function gives what QEMU's own gives

command_selftests() {
    local arguments
    SERVE_OPTIONS=("$@")
    run_begin selftests selftests
    build_tool
    virtual_functions nvme 1
    mapfile -t arguments < <(
        iommu_arguments
        port_arguments 0 && user_function 0
        port_arguments 1 && emulated_nvme 1 64M
    )
    start_server selftests "${FUNCTIONS[0]}=$WORK/0.sock"
    # Room for a page of 1 GiB: the tests of huge mappings skip what there is no page for. Above 4 GiB of addresses there is a
    # free one; the rest of this memory is never touched.
    GUEST_MEMORY=4096
    boot selftests selftests "intel_iommu=on hugepagesz=1G hugepages=1 lab.device=$(port_address 0) lab.reference=$(port_address 1)" \
        "${arguments[@]}" || true
    check "selftests: QEMU said nothing else than that BARs are no memory to it" said_only 'iommu map to non memory area'
    check_server_end selftests
    verdict
}

# vfio_dma_mapping_mmio_test has the IOMMU point at a BAR of the function, which the function itself is to reach: QEMU cannot.
said_only() { ! grep -v "$1" "$QEMU_ERRORS" >&2; }

# VT-d with what VFIO in a guest asks for: remapped interrupts, and to be told of each new mapping. It has to come before the devices.
iommu_arguments() { printf '%s\n' -machine kernel-irqchip=split -device intel-iommu,intremap=on,caching-mode=on; }
