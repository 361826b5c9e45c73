using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Pci;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class InterruptTests
{
    private const int VectorControl = 12;

    [Fact]
    public async Task A_masked_vector_is_pending_until_it_is_unmasked()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var layout = new BarLayout(5);
        guest.Bar.Write(BarLayout.Table + VectorControl, 4, 1);
        guest.Admin.Submit(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.Arbitration));
        GuestNvme.Until(() => (guest.Bar.Read((ulong)layout.Pending, 8) & 1) != 0, "the pending bit");
        Assert.Equal(0ul, guest.TakeInterrupts(0));
        guest.Bar.Write(BarLayout.Table + VectorControl, 4, 0);
        Assert.Equal(1ul, guest.TakeInterrupts(0));
        Assert.Equal(0ul, guest.Bar.Read((ulong)layout.Pending, 8));
        Assert.NotNull(guest.Admin.TryReap());
    }

    [Fact]
    public async Task The_function_mask_holds_every_vector_back()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var control = ConfigSpaceTests.Standard(fixture.Vf(0))[0x11] + 2;
        Assert.Equal(0x8004u, fixture.Vf(0).ReadConfig(control, 2));
        fixture.Vf(0).WriteConfig(control, 2, 0xC000);
        guest.Admin.Submit(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.Arbitration));
        GuestNvme.Until(() => guest.Admin.TryReap() is not null, "the completion");
        fixture.Vf(0).WriteConfig(control, 2, 0x8000);
        guest.WaitInterrupt(0);
    }

    [Fact]
    public async Task Vectors_that_there_are_not_cannot_be_enabled()
    {
        await using var fixture = await Fixture.CreateAsync();
        var lines = fixture.Vf(0).Interrupts;
        Assert.Equal(5, lines.Enable(IrqIndex.Msix, 9).Value);
        Assert.Equal(Errno.EINVAL, lines.SetTrigger(IrqIndex.Msix, 0, null).Error);
        Assert.Equal(Errno.EINVAL, lines.Enable(IrqIndex.Intx, 1).Error);
        Assert.Equal(5, lines.Enable(IrqIndex.Msix, 5).Value);
        Assert.Equal(Errno.EINVAL, lines.SetTrigger(IrqIndex.Msix, 5, null).Error);
        lines.Disable(IrqIndex.Msix);
    }

    [Fact]
    public async Task A_trigger_survives_a_function_level_reset()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        Assert.True((await fixture.Vf(0).ResetAsync(FunctionResetMethod.Flr, TestContext.Current.CancellationToken)).IsSuccess);
        fixture.Vf(0).WriteConfig(ConfigOffset.Command, 2, ConfigOffset.CommandBusMaster);
        guest.Enable();
        Assert.Equal(NvmeStatus.Success, guest.Run(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.Arbitration)).Status);
    }

    [Fact]
    public async Task The_PF_drives_its_pin_until_the_host_has_taken_every_completion()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Pf).Enable();
        fixture.Pf.Interrupts.Disable(IrqIndex.Msix);
        using var asserted = new ManualResetEventSlim();
        fixture.Pf.Interrupts.OnIntxAsserted(asserted.Set);
        Assert.Equal(1, fixture.Pf.Interrupts.Enable(IrqIndex.Intx, 1).Value);
        guest.Admin.Submit(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.Arbitration));
        Assert.True(asserted.Wait(GuestNvme.Deadline, TestContext.Current.CancellationToken));
        Assert.True(fixture.Pf.Interrupts.IntxAsserted);
        asserted.Reset();
        fixture.Pf.WriteConfig(ConfigOffset.Command, 2, 0x406);
        Assert.False(fixture.Pf.Interrupts.IntxAsserted);
        fixture.Pf.WriteConfig(ConfigOffset.Command, 2, 0x6);
        Assert.True(asserted.IsSet);
        Assert.NotEqual(0u, fixture.Pf.ReadConfig(ConfigOffset.Status, 2) & ConfigOffset.StatusInterrupt);
        Assert.NotNull(guest.Admin.TryReap());
        GuestNvme.Until(() => !fixture.Pf.Interrupts.IntxAsserted, "the pin to fall");
        guest.Bar.Write(Register.Intms, 4, 1);
        guest.Admin.Submit(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.Arbitration));
        GuestNvme.Until(() => guest.Admin.TryReap(ring: false) is not null, "the completion");
        Assert.False(fixture.Pf.Interrupts.IntxAsserted);
        fixture.Pf.Interrupts.Disable(IrqIndex.Intx);
    }

    [Fact]
    public void The_pin_takes_over_when_messages_are_turned_off()
    {
        using var crank = new HandCrank(function: 0);
        using var guest = new GuestNvme(crank.Function).Enable();
        guest.Admin.Submit(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.Arbitration));
        var lines = crank.Function.Interrupts;
        Assert.False(lines.IntxAsserted);
        lines.Disable(IrqIndex.Msix);
        var asserted = 0;
        lines.OnIntxAsserted(() => asserted++);
        Assert.Equal(1, lines.Enable(IrqIndex.Intx, 1).Value);
        Assert.Equal(1, asserted);
        lines.Disable(IrqIndex.Intx);
        Assert.Equal(5, lines.Enable(IrqIndex.Msix, 5).Value);
        Assert.False(lines.IntxAsserted);
    }
}
