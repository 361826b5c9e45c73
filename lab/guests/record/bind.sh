# Finding functions and giving them to vfio-pci.

DEVICES=/sys/bus/pci/devices

# path_address SLOT.FN/SLOT.FN...: from the root bus down, a bridge at a time; the first with its bus number (00:04.0/00.0).
path_address() {
    directory=$DEVICES/0000:${1%%/*}
    rest=${1#"${1%%/*}"}
    for hop in $(echo "$rest" | tr '/' ' '); do
        for directory in "$directory"/0000:*:"$hop"; do break; done
    done
    [ -d "$directory" ] && basename "$directory"
}

# driven_by ADDRESS MODULE: the module's driver has it.
driven_by() {
    load "$2"
    wait_until 30 [ -e "$DEVICES/$1/driver" ]
}

# virtual_function PF: its driver makes one; VIRTUAL is its address.
virtual_function() {
    echo 1 >"$DEVICES/$1/sriov_numvfs" || return 1
    VIRTUAL=$(basename "$(readlink "$DEVICES/$1/virtfn0")")
    # The driver may try the VF too, in its own time; a try that came later would leave its traces between ours.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(dd if="$DEVICES/$VIRTUAL/config" bs=1 skip=4 count=1 2>/dev/null | hexdump -ve '1/1 "%u"')" = 0 ] || break
        sleep 0.2
    done
}

group_of() { basename "$(readlink "$DEVICES/$1/iommu_group")"; }

# A group is viable if no function in it has another driver; those of bridges may stay (host, ISA, PCI).
bind_group() {
    for directory in "$DEVICES/$1"/iommu_group/devices/*; do
        case $(cat "$directory/class") in 0x0600* | 0x0601* | 0x0604*) continue ;; esac
        bind "$(basename "$directory")"
    done
    [ "$(basename "$(readlink "$DEVICES/$1/driver")")" = vfio-pci ]
}

bind() {
    [ "$(basename "$(readlink "$DEVICES/$1/driver")")" != vfio-pci ] || return 0
    echo vfio-pci >"$DEVICES/$1/driver_override"
    [ ! -e "$DEVICES/$1/driver" ] || echo "$1" >"$DEVICES/$1/driver/unbind"
    echo "$1" >/sys/bus/pci/drivers_probe
}

# What is there, in a line for people.
lspci_line() {
    directory=$DEVICES/$1
    echo "[$(cat "$directory/vendor"):$(cat "$directory/device")] class $(cat "$directory/class"), group $(group_of "$1")"
}
