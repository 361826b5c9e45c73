# The NVMe boots: who makes the devices is the caller's matter, where they sit is decided here.

# The disk of the reference device has the size of the default topology's namespaces, or is larger.
REFERENCE_SIZE=1G

# Each device has a root port of its own (FLR and hot reset are then as on hardware), from slot 4 on.
port_arguments() { # INDEX
    printf -- '-device\npcie-root-port,id=port%d,chassis=%d,addr=%02x.0\n' "$1" "$(($1 + 1))" "$(($1 + 4))"
}

port_address() { printf '0000:00:%02x.0' "$(($1 + 4))"; }

# QEMU's own NVMe controller on a raw file. The simulated functions read and write through the host's page cache, so this
# one does too (cache=writeback): neither pays for a disk. Of the ways to do so it gets the fastest that was measured on these
# machines, io_uring (a tenth above aio=threads, a third above cache=none), where the host has it.
emulated_nvme() { # INDEX SIZE
    local aio=threads
    [[ $(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null) != 0 ]] || aio=io_uring
    truncate -s "$2" "$WORK/disk$1.raw"
    printf -- '%s\n' -drive "file=/lab/disk$1.raw,format=raw,if=none,id=disk$1,cache=writeback,aio=$aio,discard=unmap" \
        -device "nvme,serial=emulated$1,drive=disk$1,bus=port$1"
}

# A function that a server offers on /lab/N.sock (inside the root).
user_function() { # INDEX
    printf -- '-device\n{"driver":"vfio-user-pci","bus":"port%d","socket":{"type":"unix","path":"/lab/%d.sock"}}\n' "$1" "$1"
}

# nvme_one NAME MAKER [BOOT]: MAKER prints the QEMU arguments of the device under test; the reference sits beside it.
nvme_one() {
    local name=$1 maker=$2 boot=${3:-one} arguments
    mapfile -t arguments < <(
        port_arguments 0 && "$maker" 0 "$REFERENCE_SIZE"
        port_arguments 1 && emulated_nvme 1 "$REFERENCE_SIZE"
    )
    boot "$name" nvme "lab.boot=$boot lab.device=$(port_address 0) lab.reference=$(port_address 1)" "${arguments[@]}"
}

# nvme_many NAME MAKER COUNT
nvme_many() {
    local name=$1 maker=$2 count=$3 arguments ports='' i
    mapfile -t arguments < <(for ((i = 0; i < count; i++)); do port_arguments "$i" && "$maker" "$i" 64M; done)
    for ((i = 0; i < count; i++)); do ports+=${ports:+,}$(port_address "$i"); done
    boot "$name" nvme "lab.boot=many lab.devices=$ports" "${arguments[@]}"
}

# The medians that the guest measured in turns: the one figure that is compared, and never with a clock.
check_throughput() {
    local ours theirs ratio
    read -r _ _ ours _ theirs _ ratio < <(console | grep '^LAB-MEDIANS ') || return 0
    check "throughput: ours $ours, QEMU's own $theirs reads a second, ratio $ratio" [ "$ours" -ge "$theirs" ]
}
