# Several functions at once: each its own controller, and all of them busy in parallel.

step probe
load nvme
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
    JOBS="$JOBS --name=$(basename "$disk") --filename=$disk --size=$bytes"
done
COUNT=$(wc -l </run/identities)
must "all $COUNT differ in (serial, cntlid)" [ "$(sort -u /run/identities | wc -l)" = "$COUNT" ]

step nvme-cli
shows "lspci" lspci -nn -d ::0108
shows "nvme list" nvme list

step fio
# Writes and then reads back; then the disks once more, read only: no function has written to another's namespace.
verified "verified random writes on $COUNT disks at once" --rw=randwrite $JOBS
verified "every disk still holds its own blocks" --rw=randread $JOBS
