# [FILE|FUNCTION...] what the guest's own vfio-pci answers for QEMU's functions (lab/recordings/functions), as JSON lines

command_record() {
    local what
    (($#)) || mapfile -t ALL < <(recording_files)
    run_begin record record
    for what in "${@:-"${ALL[@]}"}"; do
        record_boot "$what"
        write_index
    done
    verdict
}
