using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>Our device over our server: what comes out is what went in.</summary>
public class DeviceTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_device_is_what_the_server_serves()
    {
        await using var server = await RunningServer.StartAsync();
        var device = await OpenAsync(server, new DmaSpace());
        Assert.Equal(new DeviceInfo(DeviceFlags.Reset | DeviceFlags.Pci, 9, 5), device.Info);
        for (var region = -1; region < 11; region++)
        {
            var (expected, found) = (server.Device.GetRegionInfo(region), device.GetRegionInfo(region));
            Assert.Equal(expected.Error, found.Error);
            if (expected.IsSuccess)
                Assert.Equal((expected.Value.Size, expected.Value.Flags), (found.Value.Size, found.Value.Flags));
        }

        Assert.Equal([new RegionArea(0x2000, 0x1000), new RegionArea(0x4000, 0x2000)], device.GetRegionInfo(1).Value.SparseAreas!);
        for (var index = -1; index < 7; index++)
            Assert.Equal(server.Device.GetIrqInfo(index), device.GetIrqInfo(index));
        Assert.Equal(1 << 20, device.Client!.MaxWrite);
        Assert.True(device.Client.Server.TwinSocket);
        await device.CloseAsync(ResetCause.Close);
        await server.StopAsync();
        Assert.Equal(["open", "reset DeviceReset", "close ClientLost"], server.Device.Events);
    }

    [Fact]
    public async Task Accesses_of_any_length_reach_the_device_and_its_errnos_come_back()
    {
        await using var server = await RunningServer.StartAsync();
        var device = await OpenAsync(server, new DmaSpace());
        var bytes = Enumerable.Range(0, 0x1000).Select(at => (byte)(at * 3)).ToArray();
        Assert.Equal(0x1000, device.Write(0, 0, bytes).Value);
        Assert.Equal(bytes, server.Device.Bar0);
        var read = new byte[0x1000];
        Assert.Equal(0x1000, device.Read(0, 0, read).Value);
        Assert.Equal(bytes, read);
        Assert.Equal(16, device.Read(0, 0xff0, read).Value);
        Assert.Equal(0, device.Read(0, 0, []).Value);
        Assert.Equal(Errno.EINVAL, device.Read(0, 0x1000, read).Error);
        Assert.Equal(Errno.EINVAL, device.Write(4, 0, read).Error);
        Assert.Equal(Errno.EINVAL, device.Read(77, 0, read).Error);
        server.Device.OnRead = static (_, _, length) => length;
        var large = new byte[(5 << 20) + 1];
        Assert.Equal(large.Length, device.Read(0, 0, large).Value);
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(Errno.ENODEV, device.Read(0, 0, read).Error);
        Assert.Equal(Errno.ENODEV, device.GetRegionInfo(0).Error);
    }

    [Fact]
    public async Task Reads_and_writes_of_many_threads_do_not_mix()
    {
        await using var server = await RunningServer.StartAsync();
        var device = await OpenAsync(server, new DmaSpace());
        Parallel.For(0, 8, thread =>
        {
            var (mine, read) = (new byte[16], new byte[16]);
            for (var i = 0; i < 500; i++)
            {
                mine.AsSpan().Fill((byte)(thread + i));
                Assert.Equal(16, device.Write(0, (ulong)(16 * thread), mine).Value);
                Assert.Equal(16, device.Read(0, (ulong)(16 * thread), read).Value);
                Assert.Equal(mine, read);
            }
        });
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_region_access_allocates_nothing()
    {
        await using var server = await RunningServer.StartAsync();
        var device = await OpenAsync(server, new DmaSpace());
        Access(1000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Access(1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        await device.CloseAsync(ResetCause.Close);

        void Access(int count)
        {
            Span<byte> word = stackalloc byte[4];
            for (var i = 0; i < count; i++)
            {
                device.Read(0, 0, word);
                device.Write(0, 0, word);
            }
        }
    }

    [Fact]
    public async Task A_mapped_region_is_the_servers_own_memory_and_ioeventfds_are_its_own()
    {
        await using var server = await RunningServer.StartAsync();
        var device = await OpenAsync(server, new DmaSpace());
        var mapping = device.Map(1).Value;
        Assert.Equal((long)TestDevice.MappedFileOffset, mapping.FileOffset);
        TestFiles.Write(mapping.File, mapping.FileOffset + 0x2000, [1, 2, 3]);
        Assert.Equal([1, 2, 3], TestFiles.Read(server.Device.Map(1).Value.File, TestDevice.MappedFileOffset + 0x2000, 3));
        Assert.Equal(Errno.EINVAL, device.Map(0).Error);
        var events = device.GetIoEventFds(2).Value;
        Assert.Equal(server.Device.IoEventFds.Select(one => (one.Offset, one.Size)), events.Select(one => (one.Offset, one.Size)));
        Assert.True(Native.EventFd.Signal(events[3].EventFd));
        Assert.Equal(1ul, TestFiles.Count(server.Device.IoEventFds[3].EventFd));
        Assert.Same(events, device.GetIoEventFds(2).Value);
        Assert.Empty(device.GetIoEventFds(0).Value);
        await device.CloseAsync(ResetCause.Close);
        Assert.True(mapping.File.IsClosed);
        Assert.True(events[3].EventFd.IsClosed);
    }

    [Fact]
    public async Task Eventfds_go_in_batches_and_nulls_between_them_take_away()
    {
        await using var server = await RunningServer.StartAsync();
        var device = await OpenAsync(server, new DmaSpace());
        var triggers = Enumerable.Range(0, 40).Select(_ => TestFiles.EventFd()).ToArray();
        Assert.Equal(0, device.SetIrqs(Set([.. triggers.Select(Native.EventFd.Duplicate)], 100)).Value);
        Assert.Equal(40, server.Device.Triggers.Count);
        server.Device.Fire(2, 139);
        Assert.Equal(1ul, TestFiles.Count(triggers[39]));
        SafeFileHandle?[] some = [null, null, Native.EventFd.Duplicate(triggers[0]), null];
        Assert.Equal(0, device.SetIrqs(Set(some, 100)).Value);
        Assert.All(some, one => Assert.True(one is null || one.IsClosed));

        // An EVENTFD request without descriptors takes the range away, nulls at the end included.
        Assert.Equal(37, server.Device.Triggers.Count);
        server.Device.Fire(2, 102);
        Assert.Equal(1ul, TestFiles.Count(triggers[0]));
        Assert.Equal(0, device.SetIrqs(new IrqSet { Flags = (IrqSetFlags)0x21, Index = 2 }).Value);
        Assert.Empty(server.Device.Triggers);
        var refused = new IrqSet { Flags = (IrqSetFlags)0x22, Index = 2, Start = 5000, Count = 2, Bools = [1, 0] };
        Assert.Equal(Errno.EINVAL, device.SetIrqs(refused).Error);
        Assert.Equal(((IrqSetFlags)0x22, 2u, 5000u, 2u), First(server.Device.LastIrqSet!.Value));
        await device.CloseAsync(ResetCause.Close);
        foreach (var one in triggers)
            one.Dispose();

        static (IrqSetFlags, uint, uint, uint) First((IrqSetFlags Flags, uint Index, uint Start, uint Count, byte[], int) set)
            => (set.Flags, set.Index, set.Start, set.Count);
    }

    [Fact]
    public async Task Features_pass_with_their_data_and_their_eventfd()
    {
        await using var server = await RunningServer.StartAsync();
        var device = await OpenAsync(server, new DmaSpace());
        server.Device.OnFeature = (request, input, output) =>
        {
            if (request.Id != 77)
                return Errno.ENOTTY;
            if (request.Operation.HasFlag(FeatureOperation.Probe))
                return 0;
            Assert.Equal(request.EventFd is not null, input is [9, ..]);
            output[0] = 0xaa;
            return request.Operation == FeatureOperation.Get ? 3 : 0;
        };
        var output = new byte[8];
        Assert.Equal(3, device.Feature(new FeatureRequest(77, FeatureOperation.Get), [], output).Value);
        Assert.Equal(0xaa, output[0]);
        using var eventFd = TestFiles.EventFd();
        var set = new FeatureRequest(77, FeatureOperation.Set) { EventFd = eventFd };
        Assert.True(device.Feature(set, [9, 9], []).IsSuccess);
        Assert.Equal(0, device.Feature(new FeatureRequest(77, FeatureOperation.Get | FeatureOperation.Probe), [], output).Value);
        Assert.Equal(Errno.ENOTTY, device.Feature(new FeatureRequest(78, FeatureOperation.Get), [], output).Error);
        Assert.Equal(Errno.ENOTTY, device.Feature(new FeatureRequest(FeatureId.Migration, FeatureOperation.Get), [], output).Error);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task The_memory_of_the_space_is_the_servers_by_file_and_by_message_for_as_long_as_it_is_mapped()
    {
        await using var server = await RunningServer.StartAsync();
        var dma = new DmaSpace();
        var byFile = FileMemory.Create(0x10000, 0x2000);
        Assert.True(dma.Map(byFile).IsSuccess);
        var device = await OpenAsync(server, dma);
        var byMessage = LocalMemory.Allocate(0x20000, 0x1000);
        Assert.True(dma.Map(byMessage).IsSuccess);
        Assert.True(server.Device.Dma.TryAcquire(0x10000, 4, DmaAccess.Write, out var segment));
        new byte[] { 1, 2, 3, 4 }.CopyTo(segment.Span);
        segment.Dispose();
        Assert.Equal([1, 2, 3, 4], byFile.Span[..4].ToArray());
        Assert.True(server.Device.Dma.Write(0x20ffc, [5, 6, 7, 8]).IsSuccess);
        Assert.Equal([5, 6, 7, 8], byMessage.Span[^4..].ToArray());
        Assert.Equal(0x1000ul, dma.Unmap(0x20000, 0x20fff).Value);
        Assert.Equal(Errno.EFAULT, server.Device.Dma.Write(0x20ffc, [5]).Error);
        await device.CloseAsync(ResetCause.Close);
        dma.UnmapAll();
    }

    [Fact]
    public async Task Open_and_close_alternate_and_tell_of_resets()
    {
        await using var server = await RunningServer.StartAsync();
        var device = new VfioUserDevice(VfioUserEndpoint.Path(server.Path));
        var resets = new List<ResetCause>();
        device.WasReset += resets.Add;
        await device.CloseAsync(ResetCause.Close);
        for (var i = 0; i < 3; i++)
        {
            Assert.True((await device.OpenAsync(new VfioOpenContext { Dma = new DmaSpace() }, Cancelled)).IsSuccess);
            Assert.Equal(Errno.EBUSY, (await device.OpenAsync(new VfioOpenContext { Dma = new DmaSpace() }, Cancelled)).Error);
            await device.CloseAsync(ResetCause.Close);
        }

        Assert.Equal([.. Enumerable.Repeat((ResetCause[])[ResetCause.Open, ResetCause.Close], 3).SelectMany(two => two)], resets);
        server.Device.OnReset = static _ => new(Errno.EAGAIN);
        Assert.Equal(Errno.EAGAIN, (await device.OpenAsync(new VfioOpenContext { Dma = new DmaSpace() }, Cancelled)).Error);
        var kept = new VfioUserDevice(VfioUserEndpoint.Path(server.Path), new VfioUserClientOptions { ResetOnOpen = false });
        Assert.True((await kept.OpenAsync(new VfioOpenContext { Dma = new DmaSpace() }, Cancelled)).IsSuccess);
        Assert.Equal(Errno.EAGAIN, (await kept.ResetAsync(ResetCause.DeviceReset, Cancelled)).Error);
        await kept.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_server_that_stops_fails_what_comes_and_its_device_can_be_closed()
    {
        var server = await RunningServer.StartAsync();
        var device = await OpenAsync(server, new DmaSpace());
        var client = device.Client!;
        await server.DisposeAsync();
        await Assert.ThrowsAsync<VfioException>(() => client.Completion);
        Assert.Equal(Errno.ENOTCONN, device.Read(0, 0, new byte[4]).Error);
        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal(Errno.ENOENT, (await device.OpenAsync(new VfioOpenContext { Dma = new DmaSpace() }, Cancelled)).Error);
    }

    internal static async Task<VfioUserDevice> OpenAsync(RunningServer server, IDmaSpace dma, VfioUserClientOptions? options = null)
    {
        var device = new VfioUserDevice(VfioUserEndpoint.Path(server.Path), options);
        Assert.Equal(Errno.None, (await device.OpenAsync(new VfioOpenContext { Dma = dma }, Cancelled)).Error);
        return device;
    }

    private static IrqSet Set(SafeFileHandle?[] events, uint start) => new()
    {
        Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger,
        Index = 2,
        Start = start,
        Count = (uint)events.Length,
        EventFds = events,
    };
}
