using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Config;

public sealed class CapabilityTrapTests
{
    [Fact]
    [Trait("Trap", "8")]
    public async Task MSI_cannot_be_enabled_by_configuration_writes()
    {
        var hardware = new Hardware(256);
        var at = hardware.Msi(0x0188 | 0x6);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Lines.Msi = 8;
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + 2, 2, 0xFFFF);
        Assert.Equal(0u, device.ReadConfig(at + 2, 2) & 0x71);
        Assert.Equal(0u, function.ReadConfig(at + 2, 2) & 0x71);
    }

    [Fact]
    [Trait("Trap", "8")]
    public async Task MSI_vectors_that_a_guest_enables_are_clamped_to_those_set_up()
    {
        var hardware = new Hardware(256);
        var at = hardware.Msi(0x0086);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Lines.Msi = 8;
        await using var device = await OpenDevice.Open(function);
        device.SetIrqs(new() { Index = 1, Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, Count = 3, EventFds = [EventFd.Create(), null, null] });

        device.WriteConfig(at + 2, 2, 0x71);
        Assert.Equal(0x21u, device.ReadConfig(at + 2, 2) & 0x71);
        Assert.Equal(0x21u, function.ReadConfig(at + 2, 2) & 0x71);
    }

    [Fact]
    public async Task MSI_address_and_data_stay_virtual_and_the_mask_does_not()
    {
        var hardware = new Hardware(256);
        var at = hardware.Msi(0x0180);
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        foreach (var register in new[] { 4, 8 })
        {
            device.WriteConfig(at + register, 4, 0xFEE00004);
            Assert.Equal(0xFEE00004u, device.ReadConfig(at + register));
            Assert.Equal(0u, function.Hardware32(at + register));
        }

        device.WriteConfig(at + 16, 4, 0xFF);
        Assert.Equal(0xFFu, function.Hardware32(at + 16));
    }

    [Fact]
    [Trait("Trap", "1")]
    public async Task The_MSI_X_control_word_drops_writes()
    {
        var hardware = new Hardware(256);
        var at = hardware.Msix(4, 0, 0x800);
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + 2, 2, 0xC000);
        Assert.Equal(3u, device.ReadConfig(at + 2, 2));
    }

    [Fact]
    public async Task PME_never_shows_and_D3hot_stops_memory()
    {
        var hardware = new Hardware();
        var at = hardware.PowerManagement(control: 0x8108);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Writable[at + 4] = 3;
        function.Bars[0] = new ScriptedBar(4096);
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(0u, device.ReadConfig(at + 2, 2) & 0xF800);
        device.WriteConfig(at + 4, 2, 0x8103);
        Assert.Equal(0x0Bu, device.ReadConfig(at + 4, 2));
        Assert.Equal(Errno.EIO, device.Read(0, 0, new byte[4]).Error);
        device.WriteConfig(at + 4, 1, 0);
        Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
        Assert.Empty(device.Hooks);
    }

    [Fact]
    public async Task A_function_that_loses_its_state_in_D3hot_gets_its_configuration_back_and_its_variant_is_told()
    {
        var hardware = new Hardware();
        hardware.Set32(0x10, 0xFE000000);
        var at = hardware.PowerManagement();
        var function = new ScriptedFunction(hardware.Bytes);
        function.Bars[0] = new ScriptedBar(4096);
        var state = 0u;
        function.OnConfigWrite = (offset, _, value) =>
        {
            if (offset != at + 4)
                return;
            var wasAsleep = state == 3;
            state = value & 3;
            if (wasAsleep && state == 0)
                function.ConfigBytes.AsSpan(0x10, 4).Clear();
        };
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + 4, 2, 3);
        device.WriteConfig(at + 4, 2, 0);
        Assert.Equal(0xFE000000u, function.Hardware32(0x10));
        Assert.Equal(["prepare PowerState", "done PowerState"], device.Hooks);
    }

    [Fact]
    public async Task Power_states_that_the_function_lacks_and_steps_backwards_are_ignored()
    {
        var hardware = new Hardware();
        var at = hardware.PowerManagement(control: 8, capabilities: 0x0203);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Writable[at + 4] = 3;
        await using var device = await OpenDevice.Open(function);

        foreach (var (asked, state) in new[] { (2u, 0u), (1u, 1u), (3u, 3u), (1u, 3u), (0u, 0u) })
        {
            device.WriteConfig(at + 4, 2, asked);
            Assert.Equal(state, device.ReadConfig(at + 4, 2) & 3);
        }
    }

    [Theory]
    [Trait("Trap", "7")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Initiate_FLR_reads_as_0_and_resets_where_the_function_has_one(bool capable)
    {
        var hardware = new Hardware();
        var at = hardware.Express(flr: capable);
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);
        function.Log.Clear();

        device.WriteConfig(at + 8, 2, 0x8000 | device.ReadConfig(at + 8, 2));
        Assert.Equal(0u, device.ReadConfig(at + 8, 2) & 0x8000);
        Assert.Equal(capable ? ["reset Flr"] : [], function.Log);
        Assert.Equal(capable ? ["prepare PcieFlr", "done PcieFlr"] : [], device.Hooks);
    }

    [Theory]
    [Trait("Trap", "7")]
    [InlineData(Errno.ETIMEDOUT)]
    [InlineData(Errno.EAGAIN)]
    [InlineData(Errno.ENOTTY)]
    public async Task A_guest_does_not_see_that_its_FLR_failed(Errno failure)
    {
        var hardware = new Hardware();
        var at = hardware.Express();
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);
        function.OnReset = (_, _) => ValueTask.FromResult<VfioResult>(failure);

        Assert.Equal(2, device.Write(RegionIndex.Config, (ulong)at + 8, [0x30, 0xA0]).Value);
        Assert.Equal(0x2030u, device.ReadConfig(at + 8, 2));
        Assert.Equal(["prepare PcieFlr", "done PcieFlr"], device.Hooks);
        function.OnReset = null;
    }

    [Theory]
    [Trait("Trap", "7")]
    [InlineData(3u, true)]
    [InlineData(2u, false)]
    [InlineData(0u, false)]
    public async Task Advanced_features_FLR_resets_where_the_function_has_one(uint capabilities, bool resets)
    {
        var hardware = new Hardware(256);
        var at = hardware.Standard(0x13, 6, (3, 1, capabilities));
        var function = new ScriptedFunction(hardware.Bytes) { ResetMethods = [FunctionResetMethod.AfFlr] };
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + 4, 1, 1);
        Assert.Equal(0u, device.ReadConfig(at + 4, 1));
        Assert.Equal(resets ? ["prepare AfFlr", "done AfFlr"] : [], device.Hooks);
    }

    [Fact]
    public async Task The_largest_payload_is_virtual_and_the_read_request_has_it_for_a_floor()
    {
        var hardware = new Hardware();
        var at = hardware.Express();
        hardware.Set16(at + 8, 0x2060);
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + 8, 2, 0x0000);
        Assert.Equal(0x0000u, device.ReadConfig(at + 8, 2) & 0x70E0);
        Assert.Equal(0x3060u, function.ReadConfig(at + 8, 2) & 0x70E0);
        device.WriteConfig(at + 8, 2, 0x5000);
        Assert.Equal(0x5060u, function.ReadConfig(at + 8, 2) & 0x70E0);
        device.WriteConfig(at + 8, 2, 0x7000);
        Assert.Equal(0x5060u, function.ReadConfig(at + 8, 2) & 0x70E0);
    }
}
