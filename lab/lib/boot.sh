# One boot of one guest: QEMU in the root, the console shown as it comes, and a verdict on what it said.

# What a run needs: a directory for its logs (kept), and one for its sockets and disks (short, because a socket's
# path may have 107 characters; gone with the run). QEMU sees the latter as /lab inside the root.
QEMU_PID=

run_begin() {
    LOGS=$REPOSITORY/artifacts/lab/$(date +%Y%m%d-%H%M%S)-$1
    mkdir -p "$LOGS" "$IMAGES"
    WORK=$(mktemp -d /tmp/vfio-lab.XXXXXX)
    trap run_end EXIT
    trap 'exit 130' INT TERM HUP
    prepare
    lock shared
    enter_root "$ROOT"
    bind "$WORK" "$ROOT/lab"
    bind "$IMAGES" "$ROOT/lab-images"
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
    exit "$code"
}

# boot NAME GUEST "KERNEL ARGUMENTS" QEMU-ARGUMENTS...: true if the guest ended by itself with LAB-RESULT PASS.
boot() {
    local name=$1 guest=$2 append=$3 image code=0 seconds=${VFIO_LAB_TIMEOUT:-600} begun=$SECONDS
    shift 3
    CONSOLE=$LOGS/$name.console.log
    QEMU_ERRORS=$LOGS/$name.qemu.stderr
    image=$(guest_image "$guest")
    # -cpu max: the guest's crc32c then has its instruction. TCG, because nested KVM is not to be relied on. Memory is a
    # shared memfd: without it a vfio-user server gets no descriptor and has to move all data in messages.
    local qemu=(qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1024
        -nodefaults -no-user-config -display none -serial stdio -no-reboot
        -object memory-backend-memfd,id=mem,size=1024M,share=on -machine memory-backend=mem
        -kernel /guest/vmlinuz -initrd "/lab-images/$(basename "$image")"
        -append "console=ttyS0 panic=-1 quiet mitigations=off $append" "$@")
    printf '%q ' chroot "$ROOT" "${qemu[@]}" >"$LOGS/$name.qemu.command"
    progress "boot $name (at most $seconds s)"
    # The console goes through a fifo, so that QEMU is our own child: pdeathsig looks at the parent.
    mkfifo "$WORK/console"
    tee "$CONSOLE" <"$WORK/console" | tr -d '\r' | sed -u 's/^/    | /' &
    local show=$!
    setpriv --pdeathsig KILL timeout --foreground --kill-after=5 "$seconds" \
        chroot "$ROOT" /usr/bin/setpriv --pdeathsig KILL "${qemu[@]}" </dev/null >"$WORK/console" 2>"$QEMU_ERRORS" &
    QEMU_PID=$!
    # In the background and waited for: a signal to this shell is then acted on at once.
    wait "$QEMU_PID" || code=$?
    QEMU_PID=
    wait "$show"
    rm "$WORK/console"
    count_guest_checks
    boot_verdict "$name" "$code" "$((SECONDS - begun))"
}

# The guest prints LAB-CHECK for each thing that it has seen to be so; each counts as one of ours.
count_guest_checks() { PASSED=$((PASSED + $(grep -c '^LAB-CHECK ok' "$CONSOLE" || true))); }

boot_verdict() {
    local name=$1 code=$2 seconds=$3 result reason
    result=$(tr -d '\r' <"$CONSOLE" | sed -n 's/^LAB-RESULT //p' | tail -n 1)
    reason="the guest said: $result"
    if [[ $result == PASS && $code == 0 ]] && qemu_is_quiet; then
        passed "$name: the guest passed in $seconds s"
        return
    elif ((code == 124 || code == 137)); then reason="no end within $seconds s; last step: $(last_step)"
    elif ! qemu_is_quiet; then reason="QEMU: $(grep -im 1 vfio "$QEMU_ERRORS" || head -n 1 "$QEMU_ERRORS")"
    elif ((code)); then reason="QEMU ended with $code"
    elif [[ ! $result ]]; then reason="the guest ended with no result (a panic?); last step: $(last_step)"
    fi
    failed "$name: $reason"
    tails "$CONSOLE" "$QEMU_ERRORS" "$LOGS"/server*.log
    return 1
}

# vfio-user trouble that a guest may survive (an error reply, a reply that is too late) is told here and only here.
qemu_is_quiet() { [[ ! -s $QEMU_ERRORS ]] || ! grep -qiE 'vfio|error|fatal|assert' "$QEMU_ERRORS"; }

last_step() { tr -d '\r' <"$CONSOLE" | sed -n 's/^LAB-STEP //p' | tail -n 1; }
