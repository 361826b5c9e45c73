# Finding a controller and its namespace by where it sits on the PCI bus, and running fio on it.

# function_behind PORT: the address of the one function behind a root port.
function_behind() { (cd "/sys/bus/pci/devices/$1" && ls -d ????:??:??.? 2>/dev/null | head -n 1); }

# controller_of FUNCTION: nvme0, or nothing.
controller_of() { (cd "/sys/bus/pci/devices/$1/nvme" 2>/dev/null && echo nvme*); }

# namespace_of FUNCTION: nvme0n1, or nothing. A namespace that may be shared has a path (nvme0c1n1) under its controller,
# and the disk itself (nvme0n1) elsewhere.
namespace_of() {
    for path in /sys/bus/pci/devices/"$1"/nvme/nvme*/nvme*n*; do
        disk=$(basename "$path" | sed 's/c[0-9]*n/n/')
        [ -b "/dev/$disk" ] && echo "$disk" && return
    done
    return 1
}

has_namespace() { namespace_of "$1" >/dev/null; }

of_controller() { cat "/sys/bus/pci/devices/$1"/nvme/nvme*/"$2"; }

# shows WHAT COMMAND...: a check whose output is evidence.
shows() {
    what=$1
    shift
    "$@" 2>&1 || fail "$what (exit $?)"
    ok "$what"
}

# verified WHAT FIO-ARGUMENTS...: fio on 4 KiB blocks with a crc32c in each; shown are the lines that matter.
verified() {
    what=$1
    shift
    fio --ioengine=libaio --direct=1 --bs=4k --iodepth=16 --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
        --group_reporting "$@" >/run/fio 2>&1 || { tail -n 20 /run/fio; fail "$what (fio's exit $?)"; }
    grep -E 'err=|IOPS=|issued' /run/fio
    ok "$what"
}

# The sum, over CPUs, of the interrupts of I/O queue N of a controller.
queue_interrupts() {
    awk -v name="$1q$2" '$NF == name { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts
}
