# boot a Linux guest on samples/Gpio: gpio-pci-idio-16 binds, its lines count, its interrupt comes

command_gpio() {
    local slot=4
    run_begin gpio gpio
    build_project samples/Gpio
    start_serving one 1 dotnet exec "$REPOSITORY/samples/Gpio/bin/Release/net10.0/Gpio.dll" --socket-path "$WORK/0.sock"
    # A conventional device with an I/O BAR and a pin: on the root bus, where both reach the processor with no bridge between.
    boot one gpio "lab.device=0000:00:0$slot.0" -device \
        '{"driver":"vfio-user-pci","bus":"pcie.0","addr":"0'$slot'.0","socket":{"type":"unix","path":"/lab/0.sock"}}' || true
    check_server_end one
    verdict
}
