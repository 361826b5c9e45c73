# Something that takes minutes to build grows in $PARTIAL, with a stamp after each stage, so that a cut costs one stage.

# stage NAME: runs stage_NAME once, its output in $STAGE_LOG.
stage() {
    [[ -f $PARTIAL/.stage-$1 ]] && return
    progress "stage $1"
    local code
    # Not `stage || die`: set -e has no force inside a function whose result is asked for.
    set +e
    (set -e; "stage_$1") >"$STAGE_LOG" 2>&1
    code=$?
    set -e
    ((code == 0)) || {
        tails "$STAGE_LOG"
        die "stage $1 failed; run again to resume, or 'lab/run clean' to start from nothing ($STAGE_LOG)"
    }
    touch "$PARTIAL/.stage-$1"
}

in_partial() {
    chroot "$PARTIAL" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
