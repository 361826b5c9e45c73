# [OPTIONS of vfio serve] 4 KiB random reads of our NVMe function and of QEMU's own device, in one guest, by turns

command_speed() {
    SERVE_OPTIONS=("$@")
    run_begin speed nvme
    build_tool
    virtual_functions nvme 1
    start_server speed "${FUNCTIONS[0]}=$WORK/0.sock"
    if nvme_one speed user_function speed; then check_throughput; fi
    check_server_end speed
    verdict
}
