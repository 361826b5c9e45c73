using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Config;

public sealed class CommandTests
{
    [Fact]
    [Trait("Trap", "5")]
    [Trait("Trap", "6")]
    public async Task Clearing_memory_enable_stops_access()
    {
        var function = WithBar();
        await using var device = await OpenDevice.Open(function);

        Assert.True(device.Core.MemoryEnabled);
        device.WriteConfig(4, 2, 0);
        Assert.False(device.Core.MemoryEnabled);
        Assert.Equal(Errno.EIO, device.Read(0, 0, new byte[4]).Error);
        Assert.Equal(Errno.EIO, device.Write(0, 0, new byte[4]).Error);
        device.WriteConfig(4, 1, 2);
        Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
    }

    [Fact]
    [Trait("Trap", "5")]
    public async Task A_VF_answers_whatever_its_memory_enable_says()
    {
        var function = WithBar(vf: true);
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(4, 2, 0);
        Assert.Equal(0u, device.ReadConfig(4, 2) & 2);
        Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
    }

    [Fact]
    [Trait("Trap", "5")]
    public async Task Bus_mastering_is_off_after_open_and_real_when_a_client_turns_it_on()
    {
        var function = WithBar();
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(0u, function.Hardware32(4) & 4);
        device.WriteConfig(4, 2, 6);
        Assert.Equal(4u, function.Hardware32(4) & 4);
    }

    [Fact]
    public async Task Decoding_that_the_hardware_lost_brings_its_BARs_back()
    {
        var function = WithBar();
        await using var device = await OpenDevice.Open(function);
        device.WriteConfig(4, 2, 6);
        function.WriteConfig(4, 2, 0);
        function.WriteConfig(0x10, 4, 0);

        device.WriteConfig(4, 2, 6);
        Assert.Equal(0xFE000000u, function.Hardware32(0x10));
    }

    [Fact]
    [Trait("Trap", "5")]
    public async Task Interrupt_disable_is_virtual_and_the_hardware_follows()
    {
        var function = WithBar();
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(5, 1, 4);
        Assert.Equal(0x400u, device.ReadConfig(4, 2) & 0x400);
        Assert.Equal(0x400u, function.Hardware32(4) & 0x400);
        device.WriteConfig(5, 1, 0);
        Assert.Equal(0u, function.Hardware32(4) & 0x400);
    }

    [Fact]
    [Trait("Trap", "4")]
    public async Task BARs_of_a_VF_look_real_though_its_registers_are_0()
    {
        var hardware = new Hardware(256);
        var function = new ScriptedFunction(hardware.Bytes, new byte[256]) { VirtualFunctionIndex = 0 };
        function.Bars[0] = new ScriptedBar(0x4000, BarKind.Memory64);
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(4u, device.ReadConfig(0x10));
        device.WriteConfig(0x10, 4, 0xFEBC1234);
        device.WriteConfig(0x14, 4, 0x12);
        Assert.Equal(0xFEBC0004u, device.ReadConfig(0x10));
        Assert.Equal(0x12u, device.ReadConfig(0x14));
        Assert.Equal(0u, function.Hardware32(0x10));
    }

    [Fact]
    [Trait("Trap", "4")]
    public async Task BARs_are_sized_by_the_virtual_registers_and_never_written_to_the_hardware()
    {
        var hardware = new Hardware(256);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Bars[0] = new ScriptedBar(0x4000, BarKind.Memory64) { Prefetchable = true };
        function.Bars[2] = new ScriptedBar(0x20, BarKind.Io);
        function.Bars[6] = new ScriptedBar(0x10000);
        await using var device = await OpenDevice.Open(function);
        function.Writes.Clear();

        foreach (var (register, expected) in new[]
            { (0x10, 0xFFFFC00Cu), (0x14, 0xFFFFFFFFu), (0x18, 0xFFFFFFE1u), (0x1C, 0u), (0x20, 0u), (0x24, 0u), (0x30, 0xFFFF0001u) })
        {
            device.WriteConfig(register, 4, 0xFFFFFFFF);
            Assert.Equal(expected, device.ReadConfig(register));
        }

        Assert.Empty(function.Writes);
        device.WriteConfig(0x11, 1, 0);
        Assert.Equal(0xFFFF000Cu, device.ReadConfig(0x10));
        device.WriteConfig(0x12, 2, 0xBEEF);
        Assert.Equal(0xBEEF000Cu, device.ReadConfig(0x10));
    }

    [Theory]
    [InlineData(0x1_0000_0000, 0x4u, 0xFFFFFFFFu)]
    [InlineData(0x40_0000_0000, 0x4u, 0xFFFFFFC0u)]
    [InlineData(0x8000_0000, 0x80000004u, 0xFFFFFFFFu)]
    public async Task A_BAR_of_more_than_4_GiB_is_sized_by_its_upper_half(ulong size, uint low, uint high)
    {
        var function = new ScriptedFunction(new Hardware(256).Bytes);
        function.Bars[0] = new ScriptedBar(0x1000, BarKind.Memory64) { Size = size };
        await using var device = await OpenDevice.Open(function);
        device.WriteConfig(0x10, 4, 0xFFFFFFFF);
        device.WriteConfig(0x14, 4, 0xFFFFFFFF);

        Assert.Equal((low, high), (device.ReadConfig(0x10), device.ReadConfig(0x14)));
    }

    private static ScriptedFunction WithBar(bool vf = false)
    {
        var hardware = new Hardware();
        hardware.Set32(0x10, vf ? 0 : 0xFE000000);
        var function = new ScriptedFunction(hardware.Bytes) { VirtualFunctionIndex = vf ? 0 : -1 };
        function.Bars[0] = new ScriptedBar(4096);
        return function;
    }
}
