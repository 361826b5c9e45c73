using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Relaying;

public sealed class RelayTests
{
    private static readonly PciAddress Address = new(0xFFFF, 0, 0, 0);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Trap", "54")]
    public async Task A_guest_sees_the_virtual_bits_of_the_core_below_and_no_second_layer()
    {
        var hardware = Everything();
        await using var direct = await OpenDevice.Open(Function(hardware));
        var relayed = await RelayDevice.Open(Function(hardware));

        foreach (var device in new VfioDevice[] { direct, relayed })
        {
            device.Write(RegionIndex.Config, 0x10, [0xFF, 0xFF, 0xFF, 0xFF]);
            device.Write(RegionIndex.Config, 0x04, [0xFF, 0x07]);
            device.Write(RegionIndex.Config, 0x00, [0, 0, 0, 0]);
        }

        byte[] one = new byte[4096], other = new byte[4096];
        Assert.Equal(4096, direct.Read(RegionIndex.Config, 0, one).Value);
        Assert.Equal(4096, relayed.Read(RegionIndex.Config, 0, other).Value);
        Assert.Equal(one, other);
        Assert.Equal(direct.Info, relayed.Info);
        for (var region = 0; region < RegionIndex.FixedCount; region++)
            Assert.Equal(direct.GetRegionInfo(region).Value, relayed.GetRegionInfo(region).Value);
        for (var index = 0; index < IrqInfo.IndexCount; index++)
            Assert.Equal(direct.GetIrqInfo(index).Value, relayed.GetIrqInfo(index).Value);
        await relayed.CloseAsync(ResetCause.Close);
    }

    [Fact]
    [Trait("Trap", "54")]
    public async Task What_the_device_below_answers_is_shaped_by_nobody_and_what_is_written_arrives_as_it_came()
    {
        var below = new BelowDevice { Config = Everything().Bytes };
        var relay = await Open(below);
        var everything = new byte[4096];

        relay.Read(RegionIndex.Config, 0, everything);
        Assert.Equal(below.Config, everything);
        relay.Write(RegionIndex.Config, 0, [1, 2, 3, 4, 5, 6, 7, 8]);
        relay.Write(RegionIndex.Config, 0x11, [0xFF, 0xFF, 0xFF]);
        relay.Write(0, 62, [1, 2, 3, 4]);
        relay.Feature(new(FeatureId.VfToken, FeatureOperation.Set), new byte[16], []);
        relay.Feature(new(FeatureId.LowPowerEntry, FeatureOperation.Set), [], []);
        relay.None(IrqIndex.Msi, IrqSetFlags.ActionMask, 9, 3);
        relay.GetIoEventFds(0);
        Assert.Equal(
            [
                "write 7 0 0102030405060708", "write 7 11 FFFFFF", "write 0 3e 01020304",
                "feature 0 20000", "feature 3 20000", "irqs 1 3 9 9", "io fds 0",
            ],
            below.Calls);
    }

    [Fact]
    [Trait("Trap", "54")]
    public async Task A_VF_token_is_for_the_device_below_to_judge()
    {
        var token = Guid.NewGuid();
        var below = new BelowDevice();
        var relay = Over(below, virtualFunctionIndex: 0);
        var context = new VfioOpenContext { Dma = new DmaSpace(), VfToken = token };

        Assert.True((await relay.OpenAsync(context, Cancellation)).IsSuccess);
        Assert.Same(context, below.Context);
        await relay.CloseAsync(ResetCause.Close);

        below.OnOpen = () => Errno.EACCES;
        Assert.Equal(Errno.EACCES, (await relay.OpenAsync(context, Cancellation)).Error);
        Assert.Equal(Errno.EINVAL, relay.Read(RegionIndex.Config, 0, new byte[4]).Error);
    }

    [Fact]
    [Trait("Trap", "54")]
    public void The_factory_virtualizes_what_is_raw_and_relays_what_is_not()
    {
        var raw = Function(Everything());

        Assert.IsType<VfioPciCore>(VfioPciCores.Over(raw));
        Assert.IsType<RelayCore>(VfioPciCores.Over(RelayedFunction.Over(raw)));
        Assert.Equal(Errno.EOPNOTSUPP, Assert.Throws<VfioException>(() => new RelayCore(raw)).Error);
        Assert.Equal(Errno.EOPNOTSUPP, Assert.Throws<VfioException>(() => new VfioPciCore(RelayedFunction.Over(raw))).Error);
    }

    [Fact]
    public async Task A_variants_regions_come_behind_those_of_the_device_below_and_go_at_close()
    {
        var below = new Variants.WithItsOwnRegion(new VfioPciCore(Function(Everything())));
        var relay = Over(below);
        Assert.True((await relay.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);

        Assert.Equal(10, relay.Core.RegisterRegion(new MemoryRegion(16, new(0x8000_5678, 2))).Value);
        Assert.Equal(11, relay.Info.RegionCount);
        Assert.Equal(new RegionType(0x8000_1234, 1), relay.GetRegionInfo(9).Value!.Type);
        Assert.Equal(new RegionType(0x8000_5678, 2), relay.GetRegionInfo(10).Value!.Type);
        Assert.Equal(Errno.EINVAL, relay.GetRegionInfo(11).Error);
        Assert.Equal(4, relay.Write(10, 12, [1, 2, 3, 4, 5, 6]).Value);
        var read = new byte[6];
        Assert.Equal(4, relay.Read(10, 12, read).Value);
        Assert.Equal([1, 2, 3, 4], read[..4]);
        Assert.Equal(Errno.EINVAL, relay.Read(10, 16, read).Error);
        await relay.CloseAsync(ResetCause.Close);
        Assert.Equal(Errno.EINVAL, relay.Core.RegisterRegion(new MemoryRegion(16, new(0x8000_5678, 2))).Error);
    }

    [Fact]
    public async Task The_active_index_and_memory_follow_what_goes_down()
    {
        var function = Function(Everything());
        function.Lines.Msix = 4;
        var relay = await RelayDevice.Open(function);

        Assert.Null(relay.Core.ActiveIrqIndex);
        Assert.Equal(0, relay.Trigger(IrqIndex.Msix, 0, null, null));
        Assert.Equal(IrqIndex.Msix, relay.Core.ActiveIrqIndex);
        Assert.Equal(-(int)Errno.EINVAL, relay.Trigger(IrqIndex.Intx, 0, [null]));
        Assert.Equal(IrqIndex.Msix, relay.Core.ActiveIrqIndex);
        Assert.Equal(0, relay.Disable(IrqIndex.Msix));
        Assert.Null(relay.Core.ActiveIrqIndex);

        relay.Write(RegionIndex.Config, 0x04, [0x00, 0x00]);
        Assert.False(relay.Core.MemoryEnabled);
        relay.Write(RegionIndex.Config, 0x04, [0x02, 0x00]);
        Assert.True(relay.Core.MemoryEnabled);
        relay.Write(RegionIndex.Config, PowerControl(function), [0x03, 0x00]);
        Assert.False(relay.Core.MemoryEnabled);
        await relay.CloseAsync(ResetCause.Close);
        Assert.False(relay.Core.MemoryEnabled);
    }

    [Fact]
    public async Task A_request_to_release_fires_the_clients_eventfd_where_it_is()
    {
        var relay = await RelayDevice.Open(Function(Everything()));
        using var request = EventFd.Create();
        relay.RequestRelease(0);
        Assert.Equal(0, relay.Trigger(IrqIndex.Request, 0, Requests.Duplicate(request)));

        relay.RequestRelease(0);
        relay.RequestRelease(1);
        Assert.Equal(2ul, EventFd.Consume(request));
        await relay.CloseAsync(ResetCause.Close);
        relay.RequestRelease(2);
        Assert.Equal(0ul, EventFd.Consume(request));
    }

    [Fact]
    public async Task An_access_allocates_nothing()
    {
        var function = Function(Everything());
        function.Notes = ((ScriptedBar)function.Bars[0]!).Notes = false;
        var relay = await RelayDevice.Open(function);
        var bytes = new byte[8];
        var before = 0L;
        for (var round = 0; round < 100; round++)
        {
            // The first rounds compile.
            if (round == 50)
                before = GC.GetAllocatedBytesForCurrentThread();
            relay.Read(RegionIndex.Config, 0x40, bytes);
            relay.Write(RegionIndex.Config, 0x0C, bytes.AsSpan(0, 1));
            relay.Read(0, 8, bytes);
            relay.Write(0, 8, bytes);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        await relay.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task While_it_is_closed_everything_is_EINVAL_and_nothing_goes_down()
    {
        var below = new BelowDevice();
        var relay = await Open(below);
        Assert.Equal(Errno.EBUSY, (await relay.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).Error);
        await relay.CloseAsync(ResetCause.ClientLost);
        await relay.CloseAsync(ResetCause.Close);

        Assert.Equal(["close ClientLost"], below.Calls);
        Assert.Equal(Errno.EINVAL, relay.Read(0, 0, new byte[4]).Error);
        Assert.Equal(Errno.EINVAL, relay.Write(0, 0, new byte[4]).Error);
        Assert.Equal(Errno.EINVAL, relay.GetRegionInfo(0).Error);
        Assert.Equal(Errno.EINVAL, relay.GetIrqInfo(0).Error);
        Assert.Equal(Errno.EINVAL, relay.Map(0).Error);
        Assert.Equal(Errno.EINVAL, relay.GetIoEventFds(0).Error);
        Assert.Equal(Errno.EINVAL, relay.Feature(new(0, FeatureOperation.Get), [], []).Error);
        Assert.Equal(Errno.EINVAL, (await relay.ResetAsync(ResetCause.DeviceReset, Cancellation)).Error);
        Assert.Equal(Errno.EINVAL, (await relay.HotResetAsync(Cancellation)).Error);
        using var eventFd = EventFd.Create();
        var mine = Requests.Duplicate(eventFd);
        Assert.Equal(-(int)Errno.EINVAL, relay.Trigger(IrqIndex.Intx, 0, mine));
        Assert.True(mine.IsClosed);
        Assert.Equal(["close ClientLost"], below.Calls);
    }

    private static ulong PowerControl(ScriptedFunction function)
        => (ulong)Enumerable.Range(0x40, 0xC0).First(at => at % 4 == 0 && function.ConfigBytes[at] == 1 && function.ConfigBytes[at + 2] == 0x03) + 4;

    private static RelayDevice Over(VfioDevice below, int virtualFunctionIndex = -1)
        => new(VfioPciCores.Over(new RelayedFunction(below, Address, default, virtualFunctionIndex)));

    private static async Task<RelayDevice> Open(BelowDevice below)
    {
        var relay = Over(below);
        Assert.True((await relay.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        return relay;
    }

    private static ScriptedFunction Function(Hardware hardware)
    {
        var function = new ScriptedFunction(hardware.Bytes);
        function.Bars[0] = new ScriptedBar(8192);
        function.Bars[2] = new ScriptedBar(32, BarKind.Io);
        return function;
    }

    private static Hardware Everything()
    {
        var hardware = new Hardware();
        hardware.PowerManagement();
        hardware.Express();
        hardware.Msi(0x80);
        hardware.Msix(4, 0, 0x800);
        hardware.Extended(0x0001, 0x48);
        hardware.Extended(0x0010, 0x40);
        return hardware;
    }
}
