using Vfio.Simulation.Pci;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class ConfigSpaceTests
{
    private const int PowerManagement = 0x01, Express = 0x10, Msix = 0x11;
    private const int ErrorReporting = 0x0001, SerialNumber = 0x0003, AlternativeRouting = 0x000E, SingleRoot = 0x0010;

    [Fact]
    public async Task A_PF_shows_the_capabilities_of_an_SR_IOV_endpoint()
    {
        await using var fixture = await Fixture.CreateAsync();
        Assert.Equal([PowerManagement, Express, Msix], Standard(fixture.Pf).Keys.Order());
        Assert.Equal([ErrorReporting, SerialNumber, AlternativeRouting, SingleRoot], Extended(fixture.Pf).Keys.Order());
        Assert.Equal(0x010802u, fixture.Pf.ReadConfig(8, 4) >> 8);
        Assert.Equal(fixture.Pf.Id.Vendor, fixture.Pf.ReadConfig(0, 2));
        Assert.Equal(4u, fixture.Pf.ReadConfig(0x10, 4));
        Assert.Equal(1u, fixture.Pf.ReadConfig(ConfigOffset.InterruptPin, 1));
    }

    [Fact]
    public async Task A_VF_has_neither_ids_nor_BARs_nor_pin()
    {
        await using var fixture = await Fixture.CreateAsync();
        var vf = fixture.Vf(0);
        Assert.Equal(0xFFFF_FFFF, vf.ReadConfig(0, 4));
        vf.WriteConfig(0x10, 4, uint.MaxValue);
        Assert.Equal(0u, vf.ReadConfig(0x10, 4));
        vf.WriteConfig(ConfigOffset.Command, 2, 0xFFFF);
        Assert.Equal(ConfigOffset.CommandBusMaster, vf.ReadConfig(ConfigOffset.Command, 2));
        Assert.Equal(0u, vf.ReadConfig(ConfigOffset.InterruptPin, 1));
        Assert.Equal(0, vf.Interrupts.Count(IrqIndex.Intx));
        Assert.Equal(5, vf.Interrupts.Count(IrqIndex.Msix));
        Assert.Equal([PowerManagement, Express, Msix], Standard(vf).Keys.Order());
        Assert.Equal(fixture.Pf.Address, vf.PhysicalFunction);
        Assert.Equal(0, vf.VirtualFunctionIndex);
    }

    [Fact]
    public async Task A_BAR_is_sized_by_writing_ones()
    {
        await using var fixture = await Fixture.CreateAsync();
        fixture.Pf.WriteConfig(0x10, 4, uint.MaxValue);
        fixture.Pf.WriteConfig(0x14, 4, uint.MaxValue);
        var sized = ((ulong)fixture.Pf.ReadConfig(0x14, 4) << 32) | (fixture.Pf.ReadConfig(0x10, 4) & ~0xFu);
        Assert.Equal(fixture.Pf.Bar(0)!.Size, ~sized + 1);
        Assert.Null(fixture.Pf.Bar(1));
    }

    [Fact]
    public async Task The_SR_IOV_capability_describes_the_VFs_that_there_are()
    {
        await using var fixture = await Fixture.CreateAsync();
        var at = Extended(fixture.Pf)[SingleRoot];
        Assert.Equal(4u, fixture.Pf.ReadConfig(at + 0x0C, 2));
        Assert.Equal(4u, fixture.Pf.ReadConfig(at + 0x0E, 2));
        Assert.Equal(4u, fixture.Pf.ReadConfig(at + 0x10, 2));
        Assert.Equal(0x9u, fixture.Pf.ReadConfig(at + 8, 2));
        var offset = fixture.Pf.ReadConfig(at + 0x14, 2);
        Assert.Equal(fixture.Pf.Address.RoutingId + offset, fixture.Vf(0).Address.RoutingId);
        fixture.Pf.WriteConfig(at + 0x24, 4, uint.MaxValue);
        Assert.Equal(fixture.Vf(0).Bar(0)!.Size, ~(ulong)(fixture.Pf.ReadConfig(at + 0x24, 4) & ~0xFu) + 1 & 0xFFFF_FFFF);
        // Nobody changes how many there are while they exist.
        fixture.Pf.WriteConfig(at + 0x10, 2, 1);
        Assert.Equal(4u, fixture.Pf.ReadConfig(at + 0x10, 2));
    }

    [Fact]
    public async Task Memory_of_a_PF_answers_only_while_COMMAND_says_so()
    {
        await using var fixture = await Fixture.CreateAsync();
        Assert.Equal(uint.MaxValue, fixture.Pf.Bar(0)!.Read(8, 4));
        fixture.Pf.WriteConfig(ConfigOffset.Command, 2, ConfigOffset.CommandMemory);
        Assert.Equal(0x10400u, fixture.Pf.Bar(0)!.Read(8, 4));
    }

    [Fact]
    public async Task Memory_of_a_VF_answers_only_while_VF_MSE_says_so()
    {
        await using var fixture = await Fixture.CreateAsync();
        var control = Extended(fixture.Pf)[SingleRoot] + 8;
        Assert.Equal(0x10400u, fixture.Vf(1).Bar(0)!.Read(8, 4));
        fixture.Pf.WriteConfig(control, 2, 1);
        Assert.Equal(uint.MaxValue, fixture.Vf(1).Bar(0)!.Read(8, 4));
        Assert.Equal(0x0010u, fixture.Vf(1).ReadConfig(ConfigOffset.Status, 2));
        fixture.Pf.WriteConfig(control, 2, 0);
        Assert.Equal(0xFFFFu, fixture.Vf(1).ReadConfig(ConfigOffset.Status, 2));
    }

    [Fact]
    public async Task A_function_in_D3hot_does_not_decode_memory()
    {
        await using var fixture = await Fixture.CreateAsync();
        fixture.Pf.WriteConfig(ConfigOffset.Command, 2, ConfigOffset.CommandMemory);
        var control = Standard(fixture.Pf)[PowerManagement] + 4;
        fixture.Pf.WriteConfig(control, 2, 3);
        Assert.Equal(uint.MaxValue, fixture.Pf.Bar(0)!.Read(8, 4));
        // Back to D0: the PF lacks No_Soft_Reset, so it has been reset.
        fixture.Pf.WriteConfig(control, 2, 0);
        GuestNvme.Until(() => fixture.Pf.ReadConfig(ConfigOffset.Status, 2) != 0xFFFF, "the PF to answer");
        Assert.Equal(0u, fixture.Pf.ReadConfig(ConfigOffset.Command, 2));
    }

    [Fact]
    public async Task Initiating_an_FLR_resets_the_registers_but_for_the_sticky_ones()
    {
        await using var fixture = await Fixture.CreateAsync();
        var vf = fixture.Vf(2);
        vf.WriteConfig(ConfigOffset.Command, 2, ConfigOffset.CommandBusMaster);
        var control = Standard(vf)[Express] + 8;
        vf.WriteConfig(control, 2, 0x8000);
        GuestNvme.Until(() => vf.ReadConfig(ConfigOffset.Status, 2) != 0xFFFF, "the VF to answer");
        Assert.Equal(0u, vf.ReadConfig(ConfigOffset.Command, 2));
        Assert.Equal(0u, vf.ReadConfig(control, 2) & 0x8000);

        var mask = Extended(fixture.Pf)[ErrorReporting] + 8;
        fixture.Pf.WriteConfig(mask, 4, uint.MaxValue);
        var set = fixture.Pf.ReadConfig(mask, 4);
        Assert.NotEqual(0u, set);
        Assert.True((await fixture.Pf.ResetAsync(FunctionResetMethod.Flr, TestContext.Current.CancellationToken)).IsSuccess);
        Assert.Equal(set, fixture.Pf.ReadConfig(mask, 4));
    }

    [Fact]
    public async Task Only_the_reset_methods_that_are_listed_exist()
    {
        await using var fixture = await Fixture.CreateAsync();
        Assert.Equal([FunctionResetMethod.Flr, FunctionResetMethod.PowerManagement], fixture.Pf.ResetMethods);
        Assert.Equal([FunctionResetMethod.Flr], fixture.Vf(0).ResetMethods);
        var result = await fixture.Vf(0).ResetAsync(FunctionResetMethod.Bus, TestContext.Current.CancellationToken);
        Assert.Equal(Errno.ENOTTY, result.Error);
    }

    internal static Dictionary<int, int> Standard(IPciFunction function)
    {
        var found = new Dictionary<int, int>();
        for (var at = (int)function.ReadConfig(ConfigOffset.CapabilitiesPointer, 1); at != 0; at = (int)function.ReadConfig(at + 1, 1))
            found.Add((int)function.ReadConfig(at, 1), at);
        return found;
    }

    internal static Dictionary<int, int> Extended(IPciFunction function)
    {
        var found = new Dictionary<int, int>();
        for (var at = ConfigOffset.FirstExtendedCapability; at != 0; at = (int)(function.ReadConfig(at, 4) >> 20))
            found.Add((int)function.ReadConfig(at, 2), at);
        return found;
    }
}
