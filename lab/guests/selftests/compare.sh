# One kernel selftest on the function under test ($OURS) and on the reference ($THEIRS): the same results, test by test.

# results TEST FUNCTION FILE: what it said of each test, one a line: ok, not ok or skip, and the name.
results() {
    begun=$(cut -d' ' -f1 /proc/uptime)
    timeout 200 "$1" "$2" >"$3.said" 2>&1
    echo "$? $begun $(cut -d' ' -f1 /proc/uptime)" | awk '{ printf "exit %d after %.1f s", $1, $3 - $2 }' >"$3.end"
    sed -nE -e 's/^ok [0-9]+ +([^ ]+) *# SKIP.*/skip \1/p' -e t -e 's/^(not ok|ok) [0-9]+ +([^ ]+).*/\1 \2/p' "$3.said" >"$3"
    # The plan is the first thing that it says: a test that ended early has fewer lines than it promised.
    planned=$(sed -n 's/^1\.\.//p' "$3.said")
    [ "$(wc -l <"$3")" = "${planned:-0}" ] || echo "cut off: $(wc -l <"$3") of ${planned:-no} tests" >>"$3"
}

# compare TEST PASSES
compare() {
    step "$1"
    results "$1" "$OURS" /run/ours
    results "$1" "$THEIRS" /run/theirs
    while read -r ours; do
        read -r theirs <&4
        if [ "$ours" = "$theirs" ]; then echo "both: $ours"; else echo "ours: $ours; theirs: $theirs"; fi
    done </run/ours 4</run/theirs
    echo "ours: $(cat /run/ours.end); theirs: $(cat /run/theirs.end)"
    # What it said of the failures, before the console is gone.
    grep -q '^not ok\|^cut off' /run/ours && cat /run/ours.said
    must "all $(wc -l </run/theirs) results are the same" diff /run/theirs /run/ours
    passes=$(grep -c '^ok ' /run/ours)
    must "$passes pass, $(grep -c '^skip ' /run/ours) skipped, none fails" \
        [ "$passes" -ge "$2" -a "$(grep -vc '^ok \|^skip ' /run/ours)" = 0 ]
}
