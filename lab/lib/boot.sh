# One boot of one guest: QEMU in the root, the console shown as it comes, and a verdict on what it said.

QEMU_PID=
# MiB. What the guest never touches costs nothing.
GUEST_MEMORY=1024
declare -A IMAGE

# run_begin NAME GUEST...: what a run needs. A directory for its logs (kept), and one for its sockets and disks (short,
# because a socket's path may have 107 characters; gone with the run), which QEMU sees as /lab; and the guests' images.
run_begin() {
    local guest
    LOGS=$REPOSITORY/artifacts/lab/$(date +%Y%m%d-%H%M%S)-$1
    mkdir -p "$LOGS" "$IMAGES"
    WORK=$(mktemp -d /tmp/vfio-lab.XXXXXX)
    # What a run that was killed had no time to remove.
    find /tmp -maxdepth 1 -name 'vfio-lab.*' -mtime +0 -exec rm -rf --one-file-system {} +
    trap run_end EXIT
    trap 'exit 130' INT TERM HUP
    prepare
    for guest in "${@:2}"; do ! on_lab_kernel "$guest" || prepare_kernel; done
    lock shared
    touch "$ROOT"
    enter_root "$ROOT"
    [[ ! -d $KERNEL ]] || { touch "$KERNEL"; bind "$KERNEL" "$ROOT/lab-kernel"; }
    bind "$WORK" "$ROOT/lab"
    bind "$IMAGES" "$ROOT/lab-images"
    # Here and not when they are booted: set -e has force here.
    for guest in "${@:2}"; do IMAGE[$guest]=$(image_of "$guest"); done
    progress "logs in ${LOGS#"$REPOSITORY"/}"
}

run_end() {
    local code=$?
    trap '' INT TERM HUP
    stop_server
    # Our children would die with this shell anyway (setpriv), as the mounts do with the namespace: this is the orderly way.
    [[ ! $QEMU_PID ]] || kill -KILL "$QEMU_PID" 2>/dev/null || true
    umount --recursive --lazy "$ROOT/lab" 2>/dev/null || true
    rm -rf --one-file-system "$WORK"
    # A run that stopped half-way has a last line too.
    [[ $VERDICT ]] || { FAILED=$((FAILED + 1)); verdict || true; }
    exit "$code"
}

# boot NAME GUEST "KERNEL ARGUMENTS" QEMU-ARGUMENTS...: counts what the guest checked, and the boot itself.
boot() {
    if try_boot "$@"; then
        passed "$1: the guest passed in $BOOT_SECONDS s"
    else
        failed "$1: $BOOT_REASON"
        tails "$CONSOLE" "$QEMU_ERRORS" "$LOGS/server-$1".log "$LOGS/server-$1.stderr.log"
        return 1
    fi
}

# try_boot, with the arguments of boot: true if the guest ended by itself with LAB-RESULT PASS; else BOOT_REASON says why.
try_boot() {
    local name=$1 guest=$2 append=$3 seconds=${VFIO_LAB_TIMEOUT:-600} begun=$SECONDS show code=0 kernel=/guest/vmlinuz
    shift 3
    ! on_lab_kernel "$guest" || kernel=/lab-kernel/bzImage
    CONSOLE=$LOGS/$name.console.log
    QEMU_ERRORS=$LOGS/$name.qemu.stderr
    # -cpu max: the guest's crc32c then has its instruction. TCG, because nested KVM is not to be relied on. Memory is a
    # shared memfd: without it a vfio-user server gets no descriptor and has to move all data in messages.
    local qemu=(qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m "$GUEST_MEMORY"
        -nodefaults -no-user-config -display none -serial stdio -no-reboot
        -object "memory-backend-memfd,id=mem,size=${GUEST_MEMORY}M,share=on" -machine memory-backend=mem
        -kernel "$kernel" -initrd "/lab-images/${IMAGE[$guest]}"
        -append "console=ttyS0 panic=-1 quiet mitigations=off $append ${VFIO_LAB_APPEND:-}" "$@")
    printf '%q ' chroot "$ROOT" "${qemu[@]}" >"$LOGS/$name.qemu.command"
    progress "boot $name (at most $seconds s; load of this host $(cut -d' ' -f1 /proc/loadavg))"
    # The console goes through a fifo, so that QEMU is our own child: pdeathsig looks at the parent.
    mkfifo "$WORK/console"
    tee "$CONSOLE" <"$WORK/console" | tr -d '\r' | sed -u 's/^/    | /' &
    show=$!
    setpriv --pdeathsig KILL timeout --foreground --kill-after=5 "$seconds" \
        chroot "$ROOT" /usr/bin/setpriv --pdeathsig KILL "${qemu[@]}" </dev/null >"$WORK/console" 2>"$QEMU_ERRORS" &
    QEMU_PID=$!
    # In the background and waited for: a signal to this shell is then acted on at once.
    wait "$QEMU_PID" || code=$?
    QEMU_PID=
    wait "$show"
    rm "$WORK/console"
    BOOT_SECONDS=$((SECONDS - begun))
    # The guest says LAB-CHECK for each thing that it has seen to be so; each counts as one of ours.
    PASSED=$((PASSED + $(grep -c '^LAB-CHECK ok' "$CONSOLE" || true)))
    BOOT_REASON=$(boot_reason "$code" "$seconds")
    [[ ! $BOOT_REASON ]]
}

# boot_reason CODE SECONDS: why the boot is no success, in one line, the likeliest cause first; nothing if it is one.
boot_reason() {
    local code=$1 seconds=$2 result step
    result=$(console | sed -n 's/^LAB-RESULT //p' | tail -n 1)
    step=$(console | sed -n 's/^LAB-STEP //p' | tail -n 1)
    if [[ $SERVER_PID ]] && ! server_runs; then
        echo "the server ended while the guest ran${result:+, and the guest said: $result}"
    elif qemu_complained; then
        # vfio-user trouble that a guest survives (an error reply, a reply that is too late) is told here and only here.
        echo "QEMU${step:+ in step $step} said: $(grep -im 1 vfio "$QEMU_ERRORS" || head -n 1 "$QEMU_ERRORS")"
    elif ((code == 124 || code == 137)); then
        echo "no end within $seconds s, in step ${step:-none: nothing came from the guest}"
    elif [[ $result == FAIL* ]]; then
        echo "the guest said: $result"
    elif ((code)); then
        echo "QEMU ended with $code"
    elif [[ $result != PASS ]]; then
        echo "the guest ended with no result (a panic?), in step ${step:-none}"
    fi
}

console() { tr -d '\r' <"$CONSOLE"; }

qemu_complained() { grep -qiE 'vfio|error|fatal|assert|fail' "$QEMU_ERRORS"; }
