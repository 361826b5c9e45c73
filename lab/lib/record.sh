# Recordings: which functions there are (recordings/functions), where QEMU puts them, and the boots that record them.

RECORDINGS=${VFIO_LAB_RECORDINGS:-$REPOSITORY/artifacts/recordings}

# functions_of FILE|NAME: the lines of the table that are one boot, as they stand there.
functions_of() {
    awk -v wanted="$1" '
        /^\[/ { file = substr($1, 2, length($1) - 2); next }
        NF && !/^#/ && (file == wanted || $1 == wanted)' "$LAB/recordings/functions"
}

recording_files() { sed -n 's/^\[\(.*\)\].*/\1/p' "$LAB/recordings/functions"; }

# place INDEX PLACE DEVICE ARGUMENT...: adds to QEMU what is needed to have DEVICE there, and sets WHERE, its path for the guest.
# {n} in a word is INDEX: identifiers have to differ within a machine.
place() {
    local index=$1 place=$2 device=${3//\{n\}/$1} before=("${@:4}") slot
    before=("${before[@]//\{n\}/$index}")
    printf -v slot '%02x' "$SLOT"
    case $place in
    root)
        BUS=pcie.0 WHERE=00:$slot.0
        ;;
    port | port:* | vf:*)
        root_port "$index" "$slot"
        BUS=port$index WHERE=00:$slot.0/00.0
        ;;
    switch)
        root_port "$index" "$slot"
        QEMU+=(-device "x3130-upstream,id=up$index,bus=port$index"
            -device "xio3130-downstream,id=down$index,bus=up$index,chassis=$((index + 100))")
        BUS=down$index WHERE=00:$slot.0/00.0/00.0/00.0
        ;;
    bridge)
        root_port "$index" "$slot"
        QEMU+=(-device "pcie-pci-bridge,id=bridge$index,bus=port$index")
        BUS=bridge$index WHERE=00:$slot.0/00.0/01.0
        ;;
    cxl)
        QEMU+=(-machine cxl=on -device "pxb-cxl,id=cxl$index,bus=pcie.0,addr=$slot.0,bus_nr=192"
            -device "cxl-rp,id=port$index,bus=cxl$index,chassis=$((index + 1)),addr=00.0")
        BUS=port$index WHERE=c0:00.0/00.0
        ;;
    # Beside the line above: the next function of its slot, or the next slot of its bus.
    function | beside) [[ $BUS ]] || die "recordings/functions: '$device' sits beside another function: record its file" ;;&
    function) WHERE=${WHERE%.*}.$((${WHERE##*.} + 1)) ;;
    beside) WHERE=${WHERE%/*}/$(printf '%02x' $((0x$(basename "$WHERE" .0) + 1))).0 ;;
    # A function that the machine has.
    [0-9a-f]*.[0-7]) WHERE=00:$place; return ;;
    *) die "recordings/functions: what place is '$place'?" ;;
    esac
    QEMU+=("${before[@]}" -device "$device,bus=$BUS,addr=${WHERE##*[:/]}")
    SLOT=$((SLOT + 1))
    case $place in
    port:*) WHERE+=/${place#port:} ;;
    vf:*) WHERE+=/${place#vf:}/vf ;;
    esac
}

root_port() { QEMU+=(-device "pcie-root-port,id=port$1,chassis=$(($1 + 1)),addr=$2.0"); }

# Most of the time goes by in resets: 0.2 s an experiment for FLR, seconds for a reset of the bus.
VFIO_LAB_RECORD_TIMEOUT=${VFIO_LAB_TIMEOUT:-3600}

# record_boot WHAT: one boot with the functions of one file of the table, or one function; its rows go to WHAT.jsonl.gz.
record_boot() {
    local what=$1 line words names='' index=0 SLOT=3 WHERE='' BUS='' QEMU
    # The IOMMU comes first: it takes charge of what follows. One CPU: QEMU's guard against re-entrant accesses takes two CPUs in
    # the extended config space at once for one, and answers with zeros.
    QEMU=(-smp 1 -machine kernel-irqchip=split -device intel-iommu,intremap=on,caching-mode=on -serial "file:/lab/$what.rows")
    while read -r line; do
        read -ra words <<<"$line"
        place "$index" "${words[@]:1}"
        names+=${names:+,}${words[0]}@$WHERE
        index=$((index + 1))
    done < <(functions_of "$what")
    ((index)) || die "recordings/functions has no file and no function named '$what'"
    : >"$WORK/$what.rows"
    # no_timer_check: on a busy host the kernel finds that the timer does not work through the remapped IO-APIC, and panics.
    VFIO_LAB_TIMEOUT=$VFIO_LAB_RECORD_TIMEOUT boot "$what" record "intel_iommu=on no_timer_check lab.functions=$names" "${QEMU[@]}" || true
    mkdir -p "$RECORDINGS"
    if [[ -s $WORK/$what.rows ]]; then
        # Of a member that was cut off nothing is kept: rows count once their function has ended.
        { gzip -dc "$WORK/$what.rows" 2>/dev/null || true; } |
            awk -F'"' '{ rows = rows $0 "\n" } $8 == "end" { printf "%s", rows; rows = "" }' | gzip -9n >"$RECORDINGS/$what.jsonl.gz.partial"
        mv "$RECORDINGS/$what.jsonl.gz.partial" "$RECORDINGS/$what.jsonl.gz"
    fi
    check "$what: QEMU has blocked no access" not_blocked
    check "$what: all $index functions are in $RECORDINGS/$what.jsonl.gz" [ "$(recorded "$what" | wc -l)" = "$index" ]
}

not_blocked() { ! grep -q 'Blocked re-entrant' "$QEMU_ERRORS"; }

# The functions that a recording holds to the end.
recorded() { [[ ! -f $RECORDINGS/$1.jsonl.gz ]] || zcat "$RECORDINGS/$1.jsonl.gz" | sed -n 's/^{"device":"\([^"]*\)","row":"end"}$/\1/p'; }

# What each recorded function is, for who reads the recordings.
write_index() {
    local file name line path
    for path in "$RECORDINGS"/*.jsonl.gz; do
        file=$(basename "$path" .jsonl.gz)
        while read -r name; do
            line=$(functions_of "$file" | awk -v name="$name" '$1 == name { $1 = ""; print }')
            printf '%s\t%s\t%s\n' "$file" "$name" "${line# }"
        done < <(recorded "$file")
    done >"$RECORDINGS/index.tsv.$$"
    mv "$RECORDINGS/index.tsv.$$" "$RECORDINGS/index.tsv"
}
