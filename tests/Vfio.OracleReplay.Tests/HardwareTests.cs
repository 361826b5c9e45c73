using Vfio.OracleReplay.Hardware;
using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Tests;

/// <summary>The function behind the replay is hardware: a core that let something through to it would be seen.</summary>
public sealed class HardwareTests
{
    private const int Command = 4, Bar0 = 0x10, InterruptLine = 0x3C;

    [Theory]
    [InlineData("1b36:0010-pf", Bar0, 4, 0xFFFFFFFF, 0xFFFFC004)]
    [InlineData("1b36:0010-pf", Bar0 + 4, 4, 0xFFFFFFFF, 0xFFFFFFFF)]
    [InlineData("1b36:0010-pf", InterruptLine, 1, 0x5A, 0x5A)]
    [InlineData("10ec:8139", Bar0, 4, 0xFFFFFFFF, 0xFFFFFF01)]
    [InlineData("10ec:8139", 0x30, 4, 0xFFFFFFFF, 0xFFFC0001)]
    // MSI-X Control: Enable and Function Mask; SR-IOV Control; neither ever reaches the hardware in a recording.
    [InlineData("1b36:0010-pf", 0x42, 2, 0xFFFF, 0xC002)]
    [InlineData("1b36:0010-pf", 0x128, 2, 0xFFFF, 0x001F)]
    // COMMAND of a function without I/O: what its rows have shown.
    [InlineData("1b36:0010-pf", Command, 2, 0xFFFF, 0x0507)]
    // Identities, and what no row has changed.
    [InlineData("1b36:0010-pf", 0, 4, 0, 0x00101B36)]
    [InlineData("1b36:0010-vf", Bar0, 4, 0xFFFFFFFF, 0)]
    [InlineData("1b36:0010-vf", Command, 2, 0xFFFF, 0x0507)]
    public void A_register_takes_the_bits_that_the_hardware_has(string device, int offset, int width, uint value, uint expected)
    {
        using var hardware = Hardware(device);
        var function = new RecordedFunction(hardware);
        function.WriteConfig(offset, width, value);

        Assert.Equal(expected, function.ReadConfig(offset, width));
    }

    [Fact]
    public async Task A_reset_loses_what_the_kernel_restores()
    {
        using var hardware = Hardware("1b36:0010-pf");
        var function = new RecordedFunction(hardware);
        Assert.NotEqual(0u, function.ReadConfig(Bar0, 4) & ~0xFu);
        Assert.NotEqual(0u, function.ReadConfig(Command, 2) & 3);
        Assert.Equal(VfioResult.Success, await function.ResetAsync(FunctionResetMethod.Flr, TestContext.Current.CancellationToken));

        Assert.Equal(4u, function.ReadConfig(Bar0, 4));
        Assert.Equal(0u, function.ReadConfig(Command, 2) & 3);
    }

    [Fact]
    public void Initiate_FLR_resets_a_function_and_reads_as_0()
    {
        using var hardware = Hardware("1b36:0010-pf");
        var function = new RecordedFunction(hardware);
        var control = hardware.Standard(0x10) + 8;
        function.WriteConfig(control, 2, function.ReadConfig(control, 2) | 0x8000);

        Assert.Equal(0u, function.ReadConfig(control, 2) & 0x8000);
        Assert.Equal(0u, function.ReadConfig(Command, 2) & 3);
    }

    [Theory]
    [InlineData("8086:10d3", 0u)]
    [InlineData("1b36:0010-pf", 2u)]
    public void Coming_up_from_D3hot_loses_state_unless_No_Soft_Reset_says_otherwise(string device, uint memoryEnable)
    {
        using var hardware = Hardware(device);
        var function = new RecordedFunction(hardware);
        var control = hardware.Standard(0x01) + 4;
        function.WriteConfig(control, 2, 3);
        function.WriteConfig(Command, 2, 2);
        function.WriteConfig(control, 2, 0);

        Assert.Equal(memoryEnable, function.ReadConfig(Command, 2) & 2);
    }

    [Fact]
    public void A_BAR_decodes_nothing_while_COMMAND_says_so()
    {
        using var hardware = Hardware("10ec:8139");
        var function = new RecordedFunction(hardware);
        function.WriteConfig(Command, 2, 1);
        Assert.Equal((0u, 0xFFFFFFFFu), ((uint)function.Bar(0)!.Read(0, 4), (uint)function.Bar(1)!.Read(0, 4)));
        function.WriteConfig(Command, 2, 2);
        Assert.Equal((0xFFFFFFFFu, 0u), ((uint)function.Bar(0)!.Read(0, 4), (uint)function.Bar(1)!.Read(0, 4)));
        Assert.Equal(0xFFFFu, (uint)function.Bar(RegionIndex.Rom)!.Read(0, 2));
        function.WriteConfig(0x30, 4, function.ReadConfig(0x30, 4) | 1);
        Assert.Equal(0xAA55u, (uint)function.Bar(RegionIndex.Rom)!.Read(0, 2));
    }

    [Theory]
    [InlineData("1b36:0010-pf", "Flr")]
    [InlineData("8086:10d3", "PowerManagement")]
    [InlineData("1af4:1041", "Flr PowerManagement")]
    [InlineData("1234:11e8", "")]
    public void The_ways_to_reset_follow_from_the_capabilities(string device, string expected)
    {
        using var hardware = Hardware(device);
        Assert.Equal(expected, string.Join(' ', hardware.ResetMethods));
    }

    [Fact]
    public void A_small_BAR_is_mappable_only_where_it_has_a_page_of_its_own()
    {
        using var alone = Hardware("10ec:8139");
        Assert.True(alone.Bars[1]!.IsMappable);
        Assert.False(alone.Bars[0]!.IsMappable);

        // The same BAR at an address inside a page, and beside another in one page.
        Assert.False(Shifted(0xFE58B100, null).Bars[1]!.IsMappable);
        Assert.False(Shifted(0xFE58B000, 0xFE58B400).Bars[1]!.IsMappable);
        Assert.True(Shifted(0xFE58B000, 0xFE58C000).Bars[1]!.IsMappable);
    }

    private static RecordedHardware Hardware(string device)
        => RecordedHardware.Of(Recordings.Oracle.Devices.Single(d => d.Name == device), Recordings.Oracle.Devices);

    // 10ec:8139 with BAR 1 at an address, and BAR 2 at another.
    private static RecordedHardware Shifted(uint bar1, uint? bar2)
    {
        var rows = Recordings.Of("10ec:8139");
        foreach (var row in rows.Where(r => ((string)r["row"]!).StartsWith("raw_config", StringComparison.Ordinal)))
        {
            var bytes = Convert.FromHexString((string)row["bytes"]!);
            ConfigBytes.Store(bytes, 0x14, 4, bar1);
            ConfigBytes.Store(bytes, 0x18, 4, bar2 ?? 0);
            row["bytes"] = Convert.ToHexStringLower(bytes);
        }

        var text = string.Join('\n', rows.Select(row => row.ToJsonString()));
        var recording = RecordingFile.Read(System.Text.Encoding.UTF8.GetBytes(text));
        return RecordedHardware.Of(recording.Devices[0], recording.Devices);
    }
}
