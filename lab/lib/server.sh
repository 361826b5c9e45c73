# The product's side: `vfio serve`, or a sample that serves, started and stopped. Ready is when it says so, for each function.

SERVER_PID=
SERVE_OPTIONS=()

build_tool() { [[ ${VFIO_LAB_SERVER:-} ]] || build_project src/Vfio.Tool; }

build_project() { # DIRECTORY
    progress "building $1"
    # No build server may outlive us: it would hold the cache's lock.
    (cd "$REPOSITORY" && dotnet build "$1" -c Release -v quiet --nologo --disable-build-servers) >"$LOGS/build.log" 2>&1 ||
        { tails "$LOGS/build.log"; die "$1 does not build (${LOGS#"$REPOSITORY"/}/build.log)"; }
}

# vfio_command: the tool as an array, TOOL.
vfio_command() {
    if [[ ${VFIO_LAB_SERVER:-} ]]; then
        read -ra TOOL <<<"$VFIO_LAB_SERVER"
    else
        TOOL=(dotnet exec "$REPOSITORY/src/Vfio.Tool/bin/Release/net10.0/Vfio.Tool.dll")
    fi
}

# start_server NAME FUNCTION=PATH...
start_server() {
    local name=$1 pair arguments=()
    shift
    vfio_command
    for pair; do
        rm -f "${pair#*=}"
        arguments+=(--serve "$pair")
    done
    start_serving "$name" $# "${TOOL[@]}" serve "${arguments[@]}" "${SERVE_OPTIONS[@]}"
}

# start_serving NAME COUNT COMMAND...: a command that says "serving ..." for each of COUNT devices, and serves until SIGTERM.
start_serving() {
    local name=$1 count=$2 line deadline=$((SECONDS + 60)) awaited
    shift 2
    SERVER_LOG=$LOGS/server-$name.log
    rm -f "$WORK/server"
    mkfifo "$WORK/server"
    setpriv --pdeathsig KILL "$@" >"$WORK/server" 2>"$LOGS/server-$name.stderr.log" </dev/null &
    SERVER_PID=$!
    exec {SERVER_OUT}<"$WORK/server"
    awaited=$count
    while ((awaited)); do
        if ! read -r -t $((deadline > SECONDS ? deadline - SECONDS : 0)) line <&"$SERVER_OUT"; then
            tails "$SERVER_LOG" "$LOGS/server-$name.stderr.log"
            die "the server is not ready after 60 s or has ended; $awaited of $count devices are not served (${SERVER_LOG#"$REPOSITORY"/})"
        fi
        echo "$line" | tee -a "$SERVER_LOG" | sed 's/^/    server | /'
        [[ $line != "serving "* ]] || awaited=$((awaited - 1))
    done
    # Somebody has to go on reading, or the server blocks on a full pipe.
    cat <&"$SERVER_OUT" >>"$SERVER_LOG" &
    exec {SERVER_OUT}<&-
}

# Not kill -0: that holds for a dead child too, until it is waited for.
server_runs() { [[ " $(jobs -pr | tr '\n' ' ') " == *" $SERVER_PID "* ]]; }

# Before the end of a run: it must still be there, and end when asked, as the command promises.
check_server_end() {
    local name=$1 code=0
    check "$name: the server outlived the guest" server_runs
    kill -TERM "$SERVER_PID" 2>/dev/null || true
    (timeout 20 tail -s 0.1 --pid="$SERVER_PID" -f /dev/null) || kill -KILL "$SERVER_PID" 2>/dev/null || true
    wait "$SERVER_PID" || code=$?
    SERVER_PID=
    check "$name: SIGTERM ended the server with 0 (it was $code)" [ "$code" = 0 ]
}

stop_server() {
    [[ $SERVER_PID ]] || return 0
    kill -KILL "$SERVER_PID" 2>/dev/null || true
    wait "$SERVER_PID" 2>/dev/null || true
    SERVER_PID=
}

# virtual_functions MODEL COUNT: the addresses of the first COUNT VFs of that model, in order, as an array, FUNCTIONS.
virtual_functions() {
    local model=$1 count=$2
    vfio_command
    "${TOOL[@]}" list --json >"$LOGS/list.json" 2>"$LOGS/list.stderr.log" || {
        tails "$LOGS/list.stderr.log"
        die "vfio list --json failed"
    }
    mapfile -t FUNCTIONS < <(in_root jq -r --arg model "$model" --argjson count "$count" \
        '[.[] | select(.kind == "VF" and .model == $model) | .address] | sort | .[:$count][]' <"$LOGS/list.json")
    ((${#FUNCTIONS[@]} == count)) || die "vfio list shows ${#FUNCTIONS[@]} VFs of model $model, not $count (${LOGS#"$REPOSITORY"/}/list.json)"
}
