# [OPTIONS of vfio serve] boot Linux guests on our NVMe functions: one VF (fio, ext4, FLR, speed), then four VFs of one PF

command_nvme() {
    local pairs=() i
    SERVE_OPTIONS=("$@")
    run_begin nvme nvme
    build_tool
    virtual_functions nvme 4

    start_server one "${FUNCTIONS[0]}=$WORK/0.sock"
    if nvme_one one user_function; then check_throughput; fi
    check_server_end one

    for i in "${!FUNCTIONS[@]}"; do pairs+=("${FUNCTIONS[i]}=$WORK/$i.sock"); done
    start_server four "${pairs[@]}"
    nvme_many four user_function 4 || true
    check_server_end four
    verdict
}
