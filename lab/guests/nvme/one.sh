# One function under test (ours), and another implementation's NVMe device (theirs) to compare its speed with.
# The first half of the namespace takes a file system, the second fio's blocks, so that both survive to the end.

OURS=$(function_behind "$(argument lab.device)")
THEIRS=$(function_behind "$(argument lab.reference)")
MIB=1048576

step lspci
[ "$OURS" ] || fail "nothing behind port $(argument lab.device)"
shows "lspci shows the function" lspci -nn -s "$OURS"
lspci -n -s "$OURS" | grep -q ' 0108: ' || fail "its class is not 0108 (NVMe)"
ok "the class is NVMe"

step probe
# The driver probes asynchronously and numbers controllers as they come: bound by hand, ours comes first.
echo 0 >/sys/bus/pci/drivers_autoprobe
load nvme
bind_driver() { echo "$1" >/sys/bus/pci/drivers/nvme/bind; }
must "bind the nvme driver" bind_driver "$OURS"
wait_until 30 has_namespace "$OURS" || fail "no namespace of $OURS within 30 s"
CONTROLLER=$(controller_of "$OURS")
DISK=/dev/$(namespace_of "$OURS")
must "the driver made it $CONTROLLER, $DISK" [ "$DISK" = /dev/nvme0n1 ]
QUEUES=$(cat "/sys/class/nvme/$CONTROLLER/queue_count")
must "queue_count is $QUEUES: admin and one for each CPU" [ "$QUEUES" -ge 3 ]

step nvme-cli
shows "nvme list" nvme list
nvme list | grep -q "^$DISK " || fail "nvme list does not show $DISK"
nvme id-ctrl "/dev/$CONTROLLER" >/run/id-ctrl 2>&1 || { cat /run/id-ctrl; fail "nvme id-ctrl"; }
grep -E '^(vid|ssvid|sn|mn|fr|cntlid|ver|oacs|nn|subnqn) ' /run/id-ctrl
ok "nvme id-ctrl"
nvme smart-log "/dev/$CONTROLLER" >/run/smart 2>&1 || { cat /run/smart; fail "nvme smart-log"; }
grep -E '^(critical_warning|temperature|available_spare|percentage_used) ' /run/smart
ok "nvme smart-log"

step fio
must "bind the reference device" bind_driver "$THEIRS"
wait_until 30 has_namespace "$THEIRS" || fail "no namespace of the reference device $THEIRS"
REFERENCE=/dev/$(namespace_of "$THEIRS")
BYTES=$(blockdev --getsize64 "$DISK")
HALF=$((BYTES / 2 / MIB * MIB))
EACH=$(((BYTES - HALF) / 2 / MIB * MIB))
[ $EACH -le $((32 * MIB)) ] || EACH=$((32 * MIB))
must "the reference device is not smaller" [ "$(blockdev --getsize64 "$REFERENCE")" -ge "$BYTES" ]
# One job on each CPU: the driver gives each CPU its own queue.
halves() {
    disk=$1
    shift
    verified "$@" --filename="$disk" \
        --name=cpu0 --cpus_allowed=0 --offset=$HALF --size=$EACH \
        --name=cpu1 --cpus_allowed=1 --offset=$((HALF + EACH)) --size=$EACH
}
halves "$DISK" "random writes by two jobs, $((2 * EACH / MIB)) MiB" --rw=randwrite --do_verify=0
halves "$DISK" "random reads back, crc32c of every block" --rw=randread
Q1=$(queue_interrupts "$CONTROLLER" 1)
Q2=$(queue_interrupts "$CONTROLLER" 2)
must "both I/O queues interrupt ($Q1, $Q2)" [ "$Q1" -gt 0 -a "$Q2" -gt 0 ]

step ext4
load ext4
must "mkfs.ext4 on the first $((HALF / MIB)) MiB" mkfs.ext4 -q -F "$DISK" $((HALF / 1024))k
must "mount" mount -t ext4 "$DISK" /mnt
# Files of all sizes: the guest's own programs, some noise, and many small ones. The sums are taken before the disk sees them.
mkdir -p /tmp/files/small
cp /usr/bin/busybox /usr/sbin/nvme /lib/ext4.ko /tmp/files
dd if=/dev/urandom of=/tmp/files/noise bs=64k count=64 2>/dev/null
i=0
while [ $i -lt 100 ]; do
    echo "file $i" >/tmp/files/small/$i
    i=$((i + 1))
done
(cd /tmp/files && find . -type f -exec sha256sum {} +) >/tmp/sums
must "copy $(wc -l </tmp/sums) files, $(du -sk /tmp/files | cut -f1) KiB" cp -r /tmp/files /mnt
must "unmount" umount /mnt
same_files() {
    mount -t ext4 "$DISK" /mnt && (cd /mnt/files && sha256sum -c -s /tmp/sums) && umount /mnt
}
must "mount again, same checksums" same_files

step flr
# Controller Configuration, at 14h of BAR0: the driver leaves it enabled when it lets go; a reset must clear it.
BAR0=$(sed -n '1s/ .*//p' "/sys/bus/pci/devices/$OURS/resource")
configuration() { devmem $((BAR0 + 0x14)) 32; }
must "unbind the driver" sh -c "echo $OURS >/sys/bus/pci/drivers/nvme/unbind"
must "$DISK is gone" [ ! -e "$DISK" ]
# Nothing has disabled memory decoding; the reset must leave it as the kernel saves and restores it.
BEFORE=$(configuration)
must "CC before the reset is $BEFORE" [ $((BEFORE)) -ne 0 ]
must "FLR is a way to reset it" sh -c "echo flr >/sys/bus/pci/devices/$OURS/reset_method"
must "reset by FLR" sh -c "echo 1 >/sys/bus/pci/devices/$OURS/reset"
AFTER=$(configuration)
must "CC after the reset is $AFTER" [ $((AFTER)) -eq 0 ]
must "bind the driver again" bind_driver "$OURS"
wait_until 30 has_namespace "$OURS" || fail "no namespace after the reset"
must "it is $DISK again" [ "/dev/$(namespace_of "$OURS")" = "$DISK" ]
must "the files are the same after FLR" same_files
halves "$DISK" "fio's blocks are the same after FLR (verify only)" --rw=randwrite --verify_only

step throughput
# The reference first gets what ours got: every block of the range written, then read.
halves "$REFERENCE" "the reference is written alike" --rw=randwrite --do_verify=0
halves "$REFERENCE" "and read alike" --rw=randread
. /lab/turns.sh
