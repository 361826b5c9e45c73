# [FILE|FUNCTION...] record what the guest's own vfio-pci answers for QEMU's functions (lab/recordings/functions)

command_record() {
    local what
    run_begin record record
    (($#)) || mapfile -t what < <(recording_files)
    for what in "${@:-${what[@]}}"; do
        record_boot "$what"
        write_index
    done
    verdict
}
