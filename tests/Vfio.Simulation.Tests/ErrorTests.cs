using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class ErrorTests
{
    private const int Status = 0x04, Mask = 0x08, Severity = 0x0C, Control = 0x18;

    [Theory]
    [InlineData(UncorrectableError.PoisonedTlp, 2u)]
    [InlineData(UncorrectableError.MalformedTlp, 4u)]
    [InlineData(UncorrectableError.UnsupportedRequest, 0xAu)]
    public async Task An_error_shows_in_the_registers_by_its_severity_and_is_reported(UncorrectableError error, uint deviceStatus)
    {
        await using var fixture = await Fixture.CreateAsync();
        var aer = Extended(fixture.Pf, 0x01);
        var reports = 0;
        fixture.Pf.OnUncorrectableError(() => reports++);

        Assert.True(fixture.Topology.RaiseError(fixture.Pf.Address, error));
        Assert.Equal(1, reports);
        Assert.Equal(1u << (int)error, fixture.Pf.ReadConfig(aer + Status, 4));
        Assert.Equal((uint)error, fixture.Pf.ReadConfig(aer + Control, 4) & 0x1F);
        Assert.Equal(deviceStatus, fixture.Pf.ReadConfig(Standard(fixture.Pf, 0x10) + 0x0A, 2) & 0xF);

        // The pointer stays with the first, until software has cleared it.
        Assert.True(fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.Ecrc));
        Assert.Equal((uint)error, fixture.Pf.ReadConfig(aer + Control, 4) & 0x1F);
        fixture.Pf.WriteConfig(aer + Status, 4, 1u << (int)error);
        Assert.Equal(1u << 19, fixture.Pf.ReadConfig(aer + Status, 4));
        Assert.True(fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.CompleterAbort));
        Assert.Equal(15u, fixture.Pf.ReadConfig(aer + Control, 4) & 0x1F);

        fixture.Pf.OnUncorrectableError(null);
        fixture.Topology.RaiseError(fixture.Pf.Address, error);
        Assert.Equal(3, reports);
    }

    [Fact]
    public async Task A_masked_error_sets_its_bit_and_is_not_reported()
    {
        await using var fixture = await Fixture.CreateAsync();
        var aer = Extended(fixture.Pf, 0x01);
        fixture.Pf.OnUncorrectableError(() => Assert.Fail("it is masked"));
        fixture.Pf.WriteConfig(aer + Mask, 4, 1 << 14);

        Assert.False(fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.CompletionTimeout));
        Assert.Equal(1u << 14, fixture.Pf.ReadConfig(aer + Status, 4));
        Assert.Equal(0u, fixture.Pf.ReadConfig(aer + Control, 4) & 0x1F);
    }

    [Fact]
    public async Task The_enables_of_each_severity_decide_and_SERR_overrides_them()
    {
        await using var fixture = await Fixture.CreateAsync();
        var (aer, control) = (Extended(fixture.Pf, 0x01), Standard(fixture.Pf, 0x10) + 8);
        var enables = fixture.Pf.ReadConfig(control, 2);
        Assert.Equal(0xFu, enables & 0xF);

        fixture.Pf.WriteConfig(control, 2, enables & ~2u);
        Assert.False(fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.Ecrc));
        Assert.True(fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.ReceiverOverflow));
        fixture.Pf.WriteConfig(aer + Severity, 4, 1 << 19);
        Assert.True(fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.Ecrc));
        fixture.Pf.WriteConfig(control, 2, enables & ~0xFu);
        Assert.False(fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.Ecrc));
        Assert.Equal(0u, fixture.Pf.ReadConfig(6, 2) & 0x4000);
        fixture.Pf.WriteConfig(4, 2, 0x100);
        Assert.True(fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.Ecrc));
        Assert.Equal(0x4000u, fixture.Pf.ReadConfig(6, 2) & 0x4000);
        fixture.Pf.WriteConfig(6, 2, 0x4000);
        Assert.Equal(0u, fixture.Pf.ReadConfig(6, 2) & 0x4000);
    }

    [Fact]
    public async Task Of_a_VF_the_status_is_its_own_and_all_else_the_PFs()
    {
        await using var fixture = await Fixture.CreateAsync();
        var (mine, theirs) = (Extended(fixture.Pf, 0x01), Extended(fixture.Vf(0), 0x01));
        var reports = 0;
        fixture.Vf(0).OnUncorrectableError(() => reports++);
        fixture.Pf.OnUncorrectableError(() => Assert.Fail("it is the VF's"));

        Assert.True(fixture.Topology.RaiseError(fixture.Vf(0).Address, UncorrectableError.PoisonedTlp));
        Assert.Equal(1u << 12, fixture.Vf(0).ReadConfig(theirs + Status, 4));
        Assert.Equal(0u, fixture.Pf.ReadConfig(mine + Status, 4));
        fixture.Vf(0).WriteConfig(theirs + Mask, 4, 1 << 12);
        Assert.Equal(0u, fixture.Vf(0).ReadConfig(theirs + Mask, 4));
        fixture.Pf.WriteConfig(mine + Mask, 4, 1 << 12);
        Assert.False(fixture.Topology.RaiseError(fixture.Vf(0).Address, UncorrectableError.PoisonedTlp));
        Assert.Equal(1, reports);
    }

    [Theory]
    [InlineData(UncorrectableError.DataLinkProtocol)]
    [InlineData(UncorrectableError.FlowControlProtocol)]
    [InlineData(UncorrectableError.ReceiverOverflow)]
    [InlineData(UncorrectableError.MalformedTlp)]
    [InlineData(UncorrectableError.Ecrc)]
    public async Task A_VF_has_no_part_in_errors_of_the_link(UncorrectableError error)
    {
        await using var fixture = await Fixture.CreateAsync();
        var vf = fixture.Vf(0);
        vf.OnUncorrectableError(() => Assert.Fail("it is the PF's"));
        Assert.False(fixture.Topology.RaiseError(vf.Address, error));
        Assert.Equal(0u, vf.ReadConfig(Extended(vf, 0x01) + Status, 4));
        Assert.Equal(0u, vf.ReadConfig(Standard(vf, 0x10) + 0x0A, 2));
    }

    [Fact]
    public async Task What_has_been_detected_survives_a_function_level_reset()
    {
        await using var fixture = await Fixture.CreateAsync();
        var aer = Extended(fixture.Pf, 0x01);
        fixture.Topology.RaiseError(fixture.Pf.Address, UncorrectableError.Ecrc);

        await fixture.Pf.ResetAsync(FunctionResetMethod.Flr, TestContext.Current.CancellationToken);
        Assert.Equal(1u << 19, fixture.Pf.ReadConfig(aer + Status, 4));
        Assert.Equal(19u, fixture.Pf.ReadConfig(aer + Control, 4) & 0x1F);
        // The VFs are gone with the reset of their PF, and what is gone detects nothing.
        Assert.False(fixture.Topology.RaiseError(fixture.Vf(0).Address, UncorrectableError.Ecrc));
    }

    [Fact]
    public async Task Only_functions_that_exist_have_errors_that_exist()
    {
        await using var fixture = await Fixture.CreateAsync();
        var missing = Assert.Throws<VfioException>(
            () => fixture.Topology.RaiseError(PciAddress.Parse("0000:7f:00.0"), UncorrectableError.Ecrc));
        Assert.Equal(Errno.ENODEV, missing.Error);
        Assert.Throws<ArgumentOutOfRangeException>(() => fixture.Topology.RaiseError(fixture.Pf.Address, (UncorrectableError)5));
        await using var dark = new SimulatedTopology(TopologyDefinition.Default);
        Assert.Throws<VfioException>(() => dark.RaiseError(fixture.Pf.Address, UncorrectableError.Ecrc));
    }

    private static int Standard(IPciFunction function, uint id)
    {
        var at = (int)function.ReadConfig(0x34, 1);
        while (function.ReadConfig(at, 1) != id)
            at = (int)function.ReadConfig(at + 1, 1);
        return at;
    }

    private static int Extended(IPciFunction function, uint id)
    {
        var at = 0x100;
        while ((function.ReadConfig(at, 4) & 0xFFFF) != id)
            at = (int)(function.ReadConfig(at, 4) >> 20);
        return at;
    }
}
