# QEMU without a guest, a test in the processor's place: access sizes, posted writes, MSI-X, reset, DMA, hot plug

command_qtest() {
    local log project=$LAB/Vfio.Lab.Qtest passed failed
    run_begin qtest
    log=$LOGS/qtest.log
    progress "building the checks"
    (cd "$REPOSITORY" && dotnet build "$project" -c Release -v quiet --nologo --disable-build-servers) >"$LOGS/build.log" 2>&1 ||
        { tails "$LOGS/build.log"; die "the checks do not build (${LOGS#"$REPOSITORY"/}/build.log)"; }
    timeout --kill-after=5 600 dotnet exec "$project/bin/Release/net10.0/Vfio.Lab.Qtest.dll" "$ROOT" "$WORK" /lab |
        tee "$log" | grep -v ' passed, ' || true
    read -r passed failed < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log") || { passed=0 failed=1; }
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    verdict
}
