# Several functions at once: each its own controller, and all of them busy in parallel.

step probe
load nvme
DISKS=
JOBS=
: >/run/identities
for port in $(argument lab.devices | tr , ' '); do
    function=$(function_behind "$port")
    [ "$function" ] || fail "nothing behind port $port"
    wait_until 60 has_namespace "$function" || fail "no namespace of $function within 60 s"
    disk=/dev/$(namespace_of "$function")
    bytes=$(blockdev --getsize64 "$disk")
    # Functions of one NVM subsystem share its serial number and differ in cntlid.
    identity="serial $(of_controller "$function" serial | tr -d ' ') cntlid $(of_controller "$function" cntlid)"
    echo "$identity" >>/run/identities
    echo "$function $(controller_of "$function") $disk $bytes bytes, $identity"
    ok "$function is $disk"
    [ "$bytes" -le 16777216 ] || bytes=16777216
    DISKS="$DISKS $disk"
    JOBS="$JOBS --name=$(basename "$disk") --filename=$disk --offset=1m --size=$((bytes - 1048576))"
done
COUNT=$(wc -l </run/identities)
must "all $COUNT differ in (serial, cntlid)" [ "$(sort -u /run/identities | wc -l)" = "$COUNT" ]

step nvme-cli
shows "lspci" lspci -nn -d ::0108
shows "nvme list" nvme list

step fio
# The first MiB of each disk gets noise of its own: fio's blocks look alike on all disks, and would not tell one from another.
for disk in $DISKS; do
    dd if=/dev/urandom of="/tmp/$(basename "$disk")" bs=64k count=16 2>/dev/null
    dd if="/tmp/$(basename "$disk")" of="$disk" bs=64k oflag=direct 2>/dev/null || fail "noise to $disk"
done
verified "verified random writes on $COUNT disks at once" --rw=randwrite $JOBS
verified "every block is still there" --rw=randread $JOBS
for disk in $DISKS; do
    dd if="$disk" bs=64k count=16 iflag=direct 2>/dev/null | cmp -s - "/tmp/$(basename "$disk")" || fail "$disk lost its own noise"
done
ok "no function has written to another's namespace"
