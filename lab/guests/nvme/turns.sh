# The speed of the function under test ($DISK) and of the reference ($REFERENCE), on the second half ($HALF, twice $EACH).

iops() {
    fio --ioengine=libaio --direct=1 --bs=4k --iodepth=16 --rw=randread --name=r --filename="$1" --offset=$HALF \
        --size=$((2 * EACH)) --time_based --ramp_time=500ms --runtime=2s --output-format=terse --terse-version=3 >/run/fio 2>&1 ||
        { cat /run/fio; fail "fio on $1"; }
    # Terse format, version 3: field 8 is the reads a second.
    cut -d';' -f8 /run/fio | tail -n 1
}
# Many short turns, first one first and then the other: a host that is busy for some seconds then slows both alike.
for round in 1 2 3 4 5; do
    iops "$DISK" >>/run/ours
    iops "$REFERENCE" >>/run/theirs
    iops "$REFERENCE" >>/run/theirs
    iops "$DISK" >>/run/ours
done
# Ten figures each: the median is between the fifth and the sixth.
median() { sort -n "$1" | sed -n '5p;6p' | awk '{ n += $1 } END { printf "%d", n / 2 }'; }
A=$(median /run/ours)
B=$(median /run/theirs)
echo "4 KiB random reads a second, queue depth 16, in turns A B B A:"
echo "A $DISK:" $(cat /run/ours)
echo "B reference:" $(cat /run/theirs)
echo "LAB-MEDIANS ours $A theirs $B ratio $(awk "BEGIN { printf \"%.2f\", $A / $B }")"
