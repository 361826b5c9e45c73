# What the lab says, and to whom: progress and reasons on stderr, evidence and verdicts on stdout.

PASSED=0
FAILED=0
VERDICT=

progress() { echo "lab: $*" >&2; }

die() {
    echo "lab: $*" >&2
    exit 1
}

passed() {
    PASSED=$((PASSED + 1))
    echo "ok    $*"
}

failed() {
    FAILED=$((FAILED + 1))
    echo "FAIL  $*"
}

# check NAME COMMAND...: counts one check.
check() {
    local name=$1
    shift
    if "$@"; then passed "$name"; else failed "$name"; fi
}

# The last lines of logs, for a reader who will not open them.
tails() {
    local file
    for file; do
        [[ -s $file ]] || continue
        echo "--- the end of ${file#"$REPOSITORY"/}" >&2
        tail -n 15 "$file" | tr -d '\r' >&2
    done
}

# The last line of a run, and its exit code.
verdict() {
    VERDICT=said
    echo "$PASSED passed, $FAILED failed"
    ((FAILED == 0 && PASSED > 0))
}
