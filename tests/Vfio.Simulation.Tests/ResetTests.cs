using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Pci;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class ResetTests
{
    [Fact]
    public async Task Clearing_EN_drops_every_queue_and_keeps_the_admin_registers()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        guest.CreateQueue(1);
        var admin = guest.Bar.Read(Register.Asq, 8);
        guest.Disable();
        Assert.Equal(admin, guest.Bar.Read(Register.Asq, 8));
        Assert.Equal(0u, guest.Bar.Read(BarLayout.Doorbells, 4));
        guest.Enable();
        guest.CreateQueue(1);
    }

    [Theory]
    [InlineData(0x460011u)]
    [InlineData(0x460001u | (5u << 7))]
    [InlineData(0x460801u)]
    public async Task Settings_that_the_controller_lacks_are_fatal_until_EN_falls(uint cc)
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        guest.Disable();
        guest.Bar.Write(Register.Cc, 4, cc);
        GuestNvme.Until(() => (guest.Csts & Register.CstsFatal) != 0, "CSTS.CFS");
        guest.Bar.Write(Register.Cc, 4, 0);
        GuestNvme.Until(() => guest.Csts == 0, "CSTS");
        guest.Enable();
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(2u)]
    public async Task A_shutdown_completes(uint kind)
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        guest.Bar.Write(Register.Cc, 4, 0x460001 | (kind << 14));
        GuestNvme.Until(() => (guest.Csts & Register.CstsShutdownMask) == Register.CstsShutdownComplete, "CSTS.SHST");
        guest.Enable();
        Assert.Equal(0u, guest.Csts & Register.CstsShutdownMask);
    }

    [Fact]
    public async Task After_an_FLR_in_the_middle_of_IO_the_device_touches_nothing()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1, entries: 512);
        var data = guest.Memory.Allocate(512 * 1024);
        for (var round = 0; round < 20; round++)
        {
            var entry = guest.Command(IoOpcode.Read, 1, cdw12: 1023);
            guest.Memory.Describe(ref entry, data, 512 * 1024);
            for (var i = 0; i < 500; i++)
            {
                queue.Push(entry);
                if (i == 100)
                    queue.Ring();
            }

            queue.Ring();
            queue.Reap(ring: false);
            Assert.True((await fixture.Vf(0).ResetAsync(FunctionResetMethod.Flr, TestContext.Current.CancellationToken)).IsSuccess);
            var accesses = guest.Memory.Space.Accesses;
            for (var vector = 0; vector < 5; vector++)
                guest.TakeInterrupts(vector);
            guest.Memory.Span(data, 512 * 1024).Fill(0x5A);
            // Doorbells of the old life, and anything else that could stir it up.
            fixture.Vf(0).WriteConfig(ConfigOffset.Command, 2, ConfigOffset.CommandBusMaster);
            queue.Ring();
            await Settle(fixture.Vf(0));
            Assert.Equal(accesses, guest.Memory.Space.Accesses);
            Assert.Equal(-1, guest.Memory.Span(data, 512 * 1024).IndexOfAnyExcept((byte)0x5A));
            for (var vector = 0; vector < 5; vector++)
                Assert.Equal(0ul, guest.TakeInterrupts(vector));
            Assert.Equal(0u, guest.Csts);
            guest.Enable();
            queue = guest.CreateQueue(1, entries: 512);
        }
    }

    [Fact]
    public async Task Without_bus_mastering_nothing_moves_and_nothing_is_lost()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        fixture.Vf(0).WriteConfig(ConfigOffset.Command, 2, 0);
        await Settle(fixture.Vf(0));
        var accesses = guest.Memory.Space.Accesses;
        queue.Submit(guest.Command(IoOpcode.Flush, 1));
        await Settle(fixture.Vf(0));
        Assert.Equal(accesses, guest.Memory.Space.Accesses);
        Assert.Null(queue.TryReap());
        fixture.Vf(0).WriteConfig(ConfigOffset.Command, 2, ConfigOffset.CommandBusMaster);
        Assert.Equal(NvmeStatus.Success, queue.Reap().Status);
    }

    [Fact]
    public async Task A_space_that_was_disconnected_is_not_used_any_more()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1, entries: 64);
        for (var i = 0; i < 60; i++)
            queue.Submit(guest.Command(IoOpcode.Flush, 1));
        fixture.Vf(0).ConnectDma(null);
        var accesses = guest.Memory.Space.Accesses;
        queue.Ring();
        await Settle(fixture.Vf(0));
        Assert.Equal(accesses, guest.Memory.Space.Accesses);
        // A controller that cannot reach its queues is beyond help but by a reset.
        fixture.Vf(0).ConnectDma(guest.Memory.Space);
        guest.Enable();
    }

    [Fact]
    public async Task A_completion_queue_that_is_not_there_is_fatal()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        guest.Disable();
        guest.Bar.Write(Register.Acq, 8, 0xDEAD_0000);
        guest.Bar.Write(Register.Cc, 4, 0x460001);
        GuestNvme.Until(() => (guest.Csts & Register.CstsReady) != 0, "CSTS.RDY");
        guest.Bar.Write(BarLayout.Doorbells, 4, 1);
        GuestNvme.Until(() => (guest.Csts & Register.CstsFatal) != 0, "CSTS.CFS");
        guest.Enable();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_subsystem_reset_takes_the_VFs_down_and_says_so(bool byVf)
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Pf).Enable();
        using var vf = new GuestNvme(fixture.Vf(0)).Enable();
        Assert.NotEqual(0ul, vf.Bar.Read(Register.Cap, 8) & (1ul << 36));
        // Any controller of the subsystem will do: a VF resets its neighbours too.
        (byVf ? vf : guest).Bar.Write(Register.Nssr, 4, Register.NssrValue);
        GuestNvme.Until(() => (guest.Csts & Register.CstsSubsystemReset) != 0, "CSTS.NSSRO");
        GuestNvme.Until(() => vf.Csts == Register.CstsFatal, "the VF to go offline");
        guest.Bar.Write(Register.Csts, 4, Register.CstsSubsystemReset);
        Assert.Equal(0u, guest.Csts);
    }

    // When this has completed, the device's thread has gone through at least one whole step.
    internal static async Task Settle(IPciFunction function)
    {
        var device = ((SimulatedFunction)function).Device;
        for (var i = 0; i < 3; i++)
            await device.RestAsync();
    }
}
