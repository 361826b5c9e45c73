# is the lab itself sound? the same guests on QEMU's own NVMe devices, and what is said when a device is missing

command_selfcheck() {
    run_begin selfcheck nvme
    nvme_one one emulated_nvme || true
    nvme_many four emulated_nvme 4 || true
    check_no_server
    check_no_device
    verdict
}

# A boot must not pass when there is nobody behind the socket, and must say so.
check_no_server() {
    local arguments
    mapfile -t arguments < <(port_arguments 0 && user_function 0)
    try_boot no-server nvme "lab.boot=many lab.devices=$(port_address 0)" "${arguments[@]}" || true
    check "a socket that nobody serves: $BOOT_REASON" reason_has "Failed to connect"
}

# Nor when the guest finds no function where it should be.
check_no_device() {
    local arguments
    mapfile -t arguments < <(port_arguments 0)
    try_boot no-device nvme "lab.boot=many lab.devices=$(port_address 0)" "${arguments[@]}" || true
    check "an empty port: $BOOT_REASON" reason_has "nothing behind port"
}

reason_has() { [[ $BOOT_REASON == *"$1"* ]]; }
