using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Remote;

/// <summary>A client of ours, over our server, a relay, and another server: what the far device has, the client has.</summary>
public class ChainTests
{
    private const uint TriggerEventFd = 0x24, DisableNone = 0x21;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Configuration_space_and_BARs_are_read_and_written_through()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        chain.Far.Device.Bar0[5] = 42;

        Assert.Equal([42, 0], client.ReadRegion(0, 5, 2));
        client.WriteRegion(0, 0x10, 1, 2, 3, 4, 5, 6, 7, 8);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], chain.Far.Device.Bar0[0x10..0x18]);
        client.WriteRegion(7, 0x40, 9, 8);
        Assert.Equal([9, 8], client.ReadRegion(7, 0x40, 2));
        client.Refuse(Errno.EINVAL, 10, Fields.Of(0ul, 4u, 1u, new byte[] { 1 }));
    }

    [Fact]
    public async Task A_mapped_BAR_is_the_far_devices_file()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        client.WriteRegion(7, 0, 0);

        var reply = client.Request(5, Fields.Of(0x100u, 0u, 1u, 0u, 0ul, 0ul), []);
        Assert.Equal(0, reply.Error);
        using var mine = new SafeFileHandle(Assert.Single(reply.Descriptors), ownsHandle: true);
        var mapping = chain.Far.Device.Map(1).Value!;
        TestFiles.Write(mapping.File, mapping.FileOffset + 0x2000, [7, 7]);
        Assert.Equal([7, 7], TestFiles.Read(mine, mapping.FileOffset + 0x2000, 2));
        Assert.Equal(chain.Far.Device.GetRegionInfo(1).Value!.SparseAreas, chain.Near.GetRegionInfo(1).Value!.SparseAreas);
    }

    [Fact]
    public async Task Eventfds_that_stand_for_writes_are_passed_on()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        client.WriteRegion(7, 0, 0);

        var fds = chain.Near.GetIoEventFds(2).Value!;
        Assert.Equal(chain.Far.Device.IoEventFds.Select(one => (one.Offset, one.Size)), fds.Select(one => (one.Offset, one.Size)));
        EventFd.Signal(fds[3].EventFd);
        Assert.Equal(1ul, EventFd.Consume(chain.Far.Device.IoEventFds[3].EventFd));
    }

    [Theory]
    [InlineData(0u, 0u)]
    [InlineData(2u, 0u)]
    [InlineData(2u, 2047u)]
    [InlineData(3u, 0u)]
    [InlineData(4u, 0u)]
    public async Task An_interrupt_of_the_far_device_signals_the_clients_own_eventfd(uint index, uint sub)
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        using var eventFd = EventFd.Create();
        client.Succeed(8, Fields.Of(20u, TriggerEventFd, index, sub, 1u), eventFd);

        chain.Far.Device.Fire(index, sub);
        Assert.Equal(1ul, EventFd.Consume(eventFd));
        client.Succeed(8, Fields.Of(20u, DisableNone, index, 0u, 0u));
        chain.Far.Device.Fire(index, sub);
        Assert.Equal(0ul, EventFd.Consume(eventFd));
    }

    [Fact]
    public async Task A_request_to_release_reaches_the_client_over_the_far_server()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        using var eventFd = EventFd.Create();
        client.Succeed(8, Fields.Of(20u, TriggerEventFd, 4u, 0u, 1u), eventFd);

        chain.Near.RequestRelease(0);
        Assert.Equal(1ul, EventFd.Consume(eventFd));
    }

    [Fact]
    public async Task Resets_go_through_and_a_client_that_goes_closes_both_devices()
    {
        await using var chain = await Chain.StartAsync();
        using (var client = chain.Connect())
        {
            chain.Far.Device.Events.Clear();
            client.Succeed(13, []);
            Assert.Equal(["reset DeviceReset"], chain.Far.Device.Events);
        }

        using (var next = chain.Connect())
            Assert.Equal(4, next.ReadRegion(0, 0, 4).Length);
        Assert.Equal(["reset DeviceReset", "close ClientLost", "open", "reset DeviceReset"], chain.Far.Device.Events.Take(4));
    }

    [Fact]
    public async Task A_far_server_that_dies_is_an_errno_to_the_client_which_stays_connected()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        client.ReadRegion(0, 0, 4);
        await chain.Far.StopAsync();

        client.Refuse(Errno.ENOTCONN, 9, Fields.Of(0ul, 0u, 4u));
        client.Refuse(Errno.ENOTCONN, 13, []);
        client.Refuse(Errno.ENOTCONN, 2, TestClient.Map(0, 0x1000));
    }

    [Fact]
    public async Task A_variant_in_front_changes_what_its_client_sees_and_not_what_the_far_device_has()
    {
        await using var chain = await Chain.StartAsync(core => new Patched(core));
        using var client = chain.Connect();

        Assert.Equal([0xAB, 0xCD], client.ReadRegion(7, 0x2C, 2));
        Assert.Equal([0xAB], client.ReadRegion(7, 0x2C, 1));
        client.WriteRegion(7, 0x2C, 1, 2);
        Assert.Equal([0xAB, 0xCD], client.ReadRegion(7, 0x2C, 2));
        var info = client.Succeed(5, Fields.Of(32u, 0u, 0u, 0u, 0ul, 0ul));
        Assert.Equal(0x800ul, BitConverter.ToUInt64(info, 16));
        client.Refuse(Errno.EINVAL, 9, Fields.Of(0x800ul, 0u, 4u));
        var far = new byte[2];
        chain.Far.Device.Read(7, 0x2C, far);
        Assert.Equal([1, 2], far);
    }

    [Fact]
    public async Task A_found_function_says_what_it_is_and_while_it_is_closed_nothing_that_could_change()
    {
        await using var chain = await Chain.StartAsync();
        var function = chain.Function;

        Assert.Equal(PciAddress.Parse("ffff:00:00.0"), function.Address);
        Assert.Equal(256, function.ConfigSize);
        Assert.Equal(FunctionVirtualization.ByKernel, function.Virtualization);
        Assert.Equal(0u, function.ReadConfig(0, 4));
        Assert.Equal(0x8000ul, function.Bar(1)!.Size);
        Assert.Null(function.Bar(3));
        Assert.Equal(2048, function.Interrupts.Count(IrqIndex.Msix));
        Assert.Equal(Errno.ENOTCONN, Assert.Throws<VfioException>(() => function.WriteConfig(0x40, 4, 1)).Error);
        Assert.Equal(Errno.ENOTCONN, Assert.Throws<VfioException>(() => function.Bar(0)!.Read(0, 4)).Error);
        Assert.Equal(Errno.ENOTCONN, (await function.ResetAsync(FunctionResetMethod.DeviceSpecific, Cancellation)).Error);
        Assert.Equal(Errno.EOPNOTSUPP, Assert.Throws<VfioException>(() => function.ConnectDma(new DmaSpace())).Error);
    }

    [Fact]
    public async Task An_open_function_is_reached_register_by_register()
    {
        await using var chain = await Chain.StartAsync();
        var (function, device) = (chain.Function, chain.Far.Device);
        Assert.True((await chain.Near.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);

        function.WriteConfig(0x40, 2, 0xABCD);
        Assert.Equal(0xABCDu, function.ReadConfig(0x40, 2));
        function.Bar(0)!.Write(8, 8, 0x0102030405060708);
        Assert.Equal(0x0102030405060708ul, function.Bar(0)!.Read(8, 8));
        Assert.Equal(8, device.Bar0[8]);
        Assert.Equal(0x2000ul, function.Bar(1)!.Mapping!.Areas[0].Offset);
        using var eventFd = EventFd.Create();
        Assert.Equal(4, function.Interrupts.Enable(IrqIndex.Msix, 4).Value);
        Assert.True(function.Interrupts.SetTrigger(IrqIndex.Msix, 3, eventFd).IsSuccess);
        device.Fire(2, 3);
        Assert.Equal(1ul, EventFd.Consume(eventFd));
        function.Interrupts.Disable(IrqIndex.Msix);
        Assert.Empty(device.Triggers);
        device.Events.Clear();
        Assert.True((await function.ResetAsync(FunctionResetMethod.DeviceSpecific, Cancellation)).IsSuccess);
        Assert.Equal(["reset DeviceReset"], device.Events);
        await chain.Near.CloseAsync(ResetCause.Close);
    }

    private sealed class Patched(IVfioPciCore core) : VfioPciDevice(core)
    {
        private static readonly RegisterRange Subsystem = new(0x2C, 2);
        private static readonly RegionSlice Half = new(0x800);

        public override VfioResult<RegionInfo> GetRegionInfo(int region)
            => base.GetRegionInfo(region) is { IsSuccess: true, Value: { } whole } && region == 0 ? Half.Cut(whole) : base.GetRegionInfo(region);

        public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
        {
            if (region == 0 && !Half.Clip(offset, destination.Length).IsSuccess)
                return Errno.EINVAL;
            var read = base.Read(region, offset, destination);
            if (region == RegionIndex.Config && read.IsSuccess)
                Subsystem.Patch(offset, destination[..read.Value], [0xAB, 0xCD]);
            return read;
        }
    }
}
