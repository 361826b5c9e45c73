# Speed alone: the function under test and the reference, both written before they are read.

MIB=1048576
step probe
load nvme
OURS=$(function_behind "$(argument lab.device)")
THEIRS=$(function_behind "$(argument lab.reference)")
for function in "$OURS" "$THEIRS"; do
    wait_until 30 has_namespace "$function" || fail "no namespace of $function within 30 s"
done
DISK=/dev/$(namespace_of "$OURS")
REFERENCE=/dev/$(namespace_of "$THEIRS")
HALF=$(($(blockdev --getsize64 "$DISK") / 2 / MIB * MIB))
EACH=$((HALF / 2 / MIB * MIB))
[ $EACH -le $((32 * MIB)) ] || EACH=$((32 * MIB))

step throughput
for disk in "$DISK" "$REFERENCE"; do
    must "write $disk" dd if=/dev/zero of="$disk" bs=1M seek=$((HALF / MIB)) count=$((2 * EACH / MIB)) oflag=direct
done
interrupts() { grep nvme /proc/interrupts; }
interrupts
. /lab/turns.sh
interrupts
