# is the lab itself sound? the same guests on QEMU's own devices, what is said when one is missing, and one recording made again

command_selfcheck() {
    run_begin selfcheck nvme record
    nvme_one one emulated_nvme || true
    nvme_many four emulated_nvme 4 || true
    check_no_server
    check_no_device
    check_recording
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

# The recorder says today what was said of the same function once (by another recorder, see lab/README.md).
check_recording() {
    command -v python3 >/dev/null || host_packages python3
    RECORDINGS=$WORK/recordings
    record_boot 1234:11e8
    check "the recording of 1234:11e8 is what it was" "$LAB/recordings/compare" "$LAB/recordings/edu.jsonl.gz" "$RECORDINGS/1234:11e8.jsonl.gz"
}

reason_has() { [[ $BOOT_REASON == *"$1"* ]]; }
