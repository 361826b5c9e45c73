using System.Buffers.Binary;
using Vfio.User.Client.Devices;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>Our client against servers that are not ours, which answer as reference/vfio-user.md 4.2 says.</summary>
public class PeerTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_gpio_server_says_what_it_is_and_counts_its_pins()
    {
        await using var peer = PeerProcess.Start(PeerProcess.Peers, "gpio-pci-idio-16");
        var device = await peer.OpenAsync(new DmaSpace());
        var server = device.Client!.Server;
        Assert.Equal((2, 8, 1 << 20, true), (server.Minor, server.MaxMessageDescriptors, server.MaxDataTransfer, server.TwinSocket));
        Assert.Equal(4096ul, server.MigrationPageSize);
        Assert.Equal(32 << 10, device.Client.MaxWrite);
        Assert.Equal(new DeviceInfo(DeviceFlags.Reset | DeviceFlags.Pci, 9, 5), device.Info);
        Assert.Equal((0x100ul, RegionFlags.Read | RegionFlags.Write), Shape(device, 2));
        Assert.Equal((256ul, RegionFlags.Read | RegionFlags.Write), Shape(device, RegionIndex.Config));
        Assert.Equal([1u, 0u, 0u, 1u, 1u], Enumerable.Range(0, 5).Select(index => device.GetIrqInfo(index).Value.Count));
        Assert.All(Enumerable.Range(0, 5), index => Assert.Equal(IrqFlags.EventFd, device.GetIrqInfo(index).Value.Flags));
        Assert.Equal(0x0dc8494fu, BinaryPrimitives.ReadUInt32LittleEndian(Read(device, RegionIndex.Config, 0, 4)));
        Assert.Equal([1], Read(device, RegionIndex.Config, 0x3d, 1));
        Assert.Equal(256, Read(device, RegionIndex.Config, 0, 256).Length);

        Assert.Equal([0xff], Read(device, 2, 1, 1));
        Assert.Equal(1, device.Write(2, 0, [1]).Value);
        Assert.Equal([0xfe], Read(device, 2, 1, 1));
        Assert.Equal(1, device.Write(2, 0, [1]).Value);
        Assert.Equal(1, device.Write(2, 0, [1]).Value);
        Assert.Equal([0xff], Read(device, 2, 1, 1));

        using var trigger = TestFiles.EventFd();
        Assert.Equal(0, device.SetIrqs(Trigger(0, trigger)).Value);
        Assert.Equal(Errno.EINVAL, device.SetIrqs(new IrqSet { Flags = (IrqSetFlags)0x24, Index = 0, Start = 7, Count = 1 }).Error);
        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancelled)).IsSuccess);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task The_state_of_the_gpio_server_is_saved()
    {
        await using var peer = PeerProcess.Start(PeerProcess.Peers, "gpio-pci-idio-16");
        var device = await peer.OpenAsync(new DmaSpace());
        Assert.Equal(1, device.Write(2, 0, [1]).Value);
        var migration = device.MigrationOps!;
        Assert.Equal(MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy, migration.Capabilities);
        Assert.Equal(MigrationState.Running, (await migration.GetStateAsync(Cancelled)).Value);
        var stream = (await migration.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!;

        // It insists on being asked for just what it has.
        var pins = new byte[64];
        Assert.Equal(64, (await stream.ReadAsync(pins, Cancelled)).Value);
        Assert.Equal(0, (await stream.ReadAsync(new byte[64], Cancelled)).Value);
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(pins));
        Assert.True((await migration.SetStateAsync(MigrationState.Stop, Cancelled)).IsSuccess);
        Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[64], Cancelled)).Error);
        await stream.DisposeAsync();
        Assert.True((await migration.SetStateAsync(MigrationState.Running, Cancelled)).IsSuccess);
        Assert.Equal([0xfe], Read(device, 2, 1, 1));
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(Errno.ENODEV, (await migration.GetStateAsync(Cancelled)).Error);
    }

    [Fact]
    public async Task A_gpio_server_that_its_last_client_has_left_stopped_is_opened_running()
    {
        await using var peer = PeerProcess.Start(PeerProcess.Peers, "gpio-pci-idio-16");
        var device = await peer.OpenAsync(new DmaSpace());
        Assert.True((await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).IsSuccess);
        await device.CloseAsync(ResetCause.Close);
        device = await peer.OpenAsync(new DmaSpace());
        Assert.Equal(MigrationState.Running, (await device.MigrationOps!.GetStateAsync(Cancelled)).Value);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task The_null_server_has_nothing()
    {
        await using var peer = PeerProcess.Start(PeerProcess.Peers, "null");
        var device = await peer.OpenAsync(new DmaSpace());
        Assert.Equal(9, device.Info.RegionCount);
        Assert.Null(device.MigrationOps);
        Assert.Null(device.DmaLogging);
        Assert.All(Enumerable.Range(0, 7), region => Assert.Equal(0ul, Shape(device, region).Size));
        Assert.Equal([0u, 0u, 0u, 1u, 1u], Enumerable.Range(0, 5).Select(index => device.GetIrqInfo(index).Value.Count));
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task The_shadow_ioeventfd_server_has_one_ioeventfd_with_a_shadow()
    {
        await using var peer = PeerProcess.Start(PeerProcess.ShadowPeers, "shadow_ioeventfd_server");
        var device = await peer.OpenAsync(new DmaSpace());
        Assert.Equal((0x1000ul, RegionFlags.Read | RegionFlags.Write), Shape(device, 0));
        Assert.Equal([0x58, 0x4e, 0, 0], Read(device, RegionIndex.Config, 0, 4));
        var entry = Assert.Single(IoFd.Get(device.Client!, 0).Value);
        Assert.Equal((0ul, 4ul, 2u), (entry.Offset, entry.Size, entry.Type));
        entry.Descriptor!.Dispose();

        // Signalling it means nothing without the value in its shadow.
        Assert.Empty(device.GetIoEventFds(0).Value);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task The_sample_server_reaches_our_memory_and_migrates_before_and_after_it_is_stopped()
    {
        await using var peer = PeerProcess.Start(PeerProcess.OldPeers, "server", "-v");
        var dma = new DmaSpace();
        using var messages = new Unmapping(dma);
        var byMessage = LocalMemory.Allocate(0, 0x1000);
        var byFile = FileMemory.Create(0x1000, 0x1000);
        Assert.True(dma.Map(byMessage).IsSuccess);
        Assert.True(dma.Map(byFile).IsSuccess);
        var device = await peer.OpenAsync(dma);
        Assert.True(device.Client!.Server.TwinSocket);
        using var trigger = TestFiles.EventFd();
        Assert.Equal(0, device.SetIrqs(Trigger(0, trigger)).Value);
        var pageSize = 4096ul;
        Assert.True(device.DmaLogging!.Start([new IovaRange(0, 0x2000)], ref pageSize).IsSuccess);

        // The timer of one second from now: its interrupt comes when the device has written and read all it wanted.
        var due = BitConverter.GetBytes(DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 1);
        Assert.Equal(8, device.Write(0, 0, due).Value);
        Assert.True(new RawSocket(trigger).WaitReadable(20_000), string.Join('\n', peer.Output));
        var expected = Enumerable.Range(0, 4096).Select(at => (byte)('A' + at / 1024)).ToArray();

        // The interrupt comes first: what the server does before its next answer has been done when that has come.
        Read(device, RegionIndex.Config, 0, 4);
        Assert.Equal(expected, byMessage.Span.ToArray());
        Assert.Equal(expected, byFile.Span.ToArray());

        // It logs only what it has mapped.
        Assert.Equal((0ul, 1ul), (Dirty(device, 0), Dirty(device, 0x1000)));
        Assert.Equal((0ul, 0ul), (Dirty(device, 0), Dirty(device, 0x1000)));
        Assert.True(device.DmaLogging.Stop().IsSuccess);
        Assert.Equal(0x1000ul, dma.Unmap(0x1000, 0x1fff).Value);

        var bar1 = Enumerable.Range(0, 0x3000).Select(at => (byte)(at * 7)).ToArray();
        Assert.Equal(bar1.Length, device.Write(1, 0, bar1).Value);
        Assert.Equal([new RegionArea(0, 0x1000), new RegionArea(0x2000, 0x1000)], device.GetRegionInfo(1).Value.SparseAreas!);
        Assert.Equal(bar1[0x2000..], TestFiles.Read(device.Map(1).Value.File, device.Map(1).Value.FileOffset + 0x2000, 0x1000));

        var migration = device.MigrationOps!;
        var stream = (await migration.SetStateAsync(MigrationState.PreCopy, Cancelled)).Value!;
        Assert.Equal(Errno.ENOTTY, (await stream.GetPrecopyInfoAsync(Cancelled)).Error);
        Assert.Equal(bar1, await ReadAllAsync(stream, 1024, Errno.ENOMSG));
        Assert.Null((await migration.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value);
        var state = await ReadAllAsync(stream, 1024, Errno.None);
        Assert.Equal((byte[])[.. bar1, .. due], state);
        Assert.True((await migration.SetStateAsync(MigrationState.Stop, Cancelled)).IsSuccess);
        await device.CloseAsync(ResetCause.Close);

        await using var target = PeerProcess.Start(PeerProcess.OldPeers, "server", "-v");
        device = await target.OpenAsync(dma);
        await using (var resuming = (await device.MigrationOps!.SetStateAsync(MigrationState.Resuming, Cancelled)).Value!)
            Assert.True((await resuming.WriteAsync(state, Cancelled)).IsSuccess);
        Assert.True((await device.MigrationOps.SetStateAsync(MigrationState.Stop, Cancelled)).IsSuccess);
        Assert.True((await device.MigrationOps.SetStateAsync(MigrationState.Running, Cancelled)).IsSuccess);
        Assert.Equal(bar1[..0x1000], TestFiles.Read(device.Map(1).Value.File, device.Map(1).Value.FileOffset, 0x1000));
        await device.CloseAsync(ResetCause.Close);
    }

    private static async Task<byte[]> ReadAllAsync(MigrationDataStream stream, int piece, Errno end)
    {
        var all = new List<byte>();
        var buffer = new byte[piece];
        while (true)
        {
            var read = await stream.ReadAsync(buffer, Cancelled);
            if (!read.IsSuccess || read.Value == 0)
            {
                Assert.Equal(end, read.Error);
                return [.. all];
            }

            all.AddRange(buffer[..read.Value]);
        }
    }

    private static ulong Dirty(VfioUserDevice device, ulong iova)
    {
        var bitmap = new ulong[1];
        Assert.Equal(Errno.None, device.DmaLogging!.Report(iova, 0x1000, 4096, bitmap).Error);
        return bitmap[0];
    }

    private static IrqSet Trigger(uint index, Microsoft.Win32.SafeHandles.SafeFileHandle trigger) => new()
    {
        Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger,
        Index = index,
        Count = 1,
        EventFds = new[] { Native.EventFd.Duplicate(trigger) },
    };

    private static (ulong Size, RegionFlags Flags) Shape(VfioUserDevice device, int region)
    {
        var info = device.GetRegionInfo(region);
        Assert.Equal(Errno.None, info.Error);
        return (info.Value.Size, info.Value.Flags);
    }

    private static byte[] Read(VfioUserDevice device, int region, ulong offset, int count)
    {
        var bytes = new byte[count];
        Assert.Equal(new VfioResult<int>(count), device.Read(region, offset, bytes));
        return bytes;
    }

    private sealed class Unmapping(DmaSpace space) : IDisposable
    {
        public void Dispose() => space.UnmapAll();
    }
}
