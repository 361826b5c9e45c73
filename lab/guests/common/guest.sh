# What every guest does: come up, say what it checks in words that the host counts, wait for events, end.
# Words on the console: LAB-STEP name, LAB-CHECK ok what, and last LAB-RESULT PASS or LAB-RESULT FAIL step: why.

STEP=start

start() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs devtmpfs /dev
    trap 'fail "the script ended early"' EXIT
    echo "LAB-STEP start: Linux $(uname -r), $(nproc) CPUs, up after $(cut -d' ' -f1 /proc/uptime) s"
    # Every uevent is one byte in a pipe, so that wait_until sleeps in read, not in a loop of naps.
    mkfifo /run/uevents
    exec 3<>/run/uevents
    uevent sh -c 'echo >/run/uevents' &
}

# load MODULE: it and what it needs, in the order that the image was given.
load() {
    while read -r module; do
        # A module for hardware that is absent (crc32c-intel) refuses, and one may be there already: what needs it will tell.
        insmod "/lib/$module" 2>/dev/null || echo "insmod refused $module"
    done <"/lab/modules.$1"
    [ -d "/sys/module/$1" ] || fail "module $1 is not loaded"
}

step() {
    STEP=$1
    echo "LAB-STEP $STEP"
}

ok() { echo "LAB-CHECK ok $STEP: $*"; }

fail() {
    trap - EXIT
    # The kernel may know more than we do.
    dmesg | tail -n 12
    echo "LAB-RESULT FAIL $STEP: $*"
    poweroff -f
}

pass() {
    trap - EXIT
    echo "LAB-RESULT PASS"
    poweroff -f
}

# must WHAT COMMAND...: a check. What the command says is shown only if it fails.
must() {
    what=$1
    shift
    "$@" >/run/said 2>&1 || { status=$?; cat /run/said; fail "$what (exit $status: $(tail -n 1 /run/said))"; }
    ok "$what"
}

# wait_until SECONDS COMMAND...: asks again after each uevent.
wait_until() {
    deadline=$(($(uptime_seconds) + $1))
    shift
    until "$@"; do
        left=$((deadline - $(uptime_seconds)))
        [ $left -gt 0 ] && read -r -t $left _ <&3 || return 1
    done
}

uptime_seconds() { cut -d. -f1 /proc/uptime; }

# argument NAME: the value of NAME= on the kernel's command line.
argument() { tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"; }
