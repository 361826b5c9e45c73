using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Dma;

public class MapTests
{
    private const ulong Base = 0x10000;

    [Fact]
    public async Task Sealed_memory_is_used_in_place()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x10000);
        Assert.Empty(client.Succeed(2, TestClient.Map(Base, 0x4000, offset: 0x2000), memory));

        var dma = server.Device.Dma;
        Assert.True(dma.TryAcquire(Base + 0x10, 0x100, DmaAccess.Write, out var segment));
        segment.Span.Fill(0xab);
        segment.Dispose();
        Assert.All(TestFiles.Read(memory, 0x2010, 0x100), value => Assert.Equal(0xab, value));
        TestFiles.Write(memory, 0x5ffc, [1, 2, 3, 4]);
        var bytes = new byte[4];
        Assert.True(dma.Read(Base + 0x3ffc, bytes).IsSuccess);
        Assert.Equal([1, 2, 3, 4], bytes);
        Assert.Equal(Errno.EFAULT, dma.Read(Base + 0x3ffd, bytes).Error);
        Assert.Equal(Errno.EFAULT, dma.Write(Base - 1, bytes).Error);
    }

    public static TheoryData<string> Shrinkable => new() { "memfd", "file", "shm" };

    [Theory]
    [MemberData(nameof(Shrinkable))]
    public async Task A_file_that_can_shrink_is_reached_by_calls_and_survives_being_shortened(string kind)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var path = kind == "memfd" ? null : Path.Combine(kind == "shm" ? "/dev/shm" : Path.GetTempPath(), $"vfio-user-{Guid.NewGuid():N}");
        using var memory = path is null ? TestFiles.UnsealedMemory(0) : TestFiles.Open(path);
        try
        {
            Assert.Equal(0, Libc.ftruncate(memory, 0x10000));
            client.Succeed(2, TestClient.Map(Base, 0x8000, offset: 0x1000), memory);
            var dma = server.Device.Dma;
            Assert.False(dma.TryAcquire(Base, 8, DmaAccess.Read, out _));
            Assert.True(dma.Write(Base + 8, new byte[] { 9, 8, 7 }).IsSuccess);
            Assert.Equal([9, 8, 7], TestFiles.Read(memory, 0x1008, 3));
            var bytes = new byte[3];
            Assert.True(dma.Read(Base + 8, bytes).IsSuccess);
            Assert.Equal([9, 8, 7], bytes);

            Assert.Equal(0, Libc.ftruncate(memory, 0));
            Assert.Equal(Errno.EFAULT, dma.Read(Base + 8, bytes).Error);
            Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        }
        finally
        {
            if (path is not null)
                File.Delete(path);
        }
    }

    [Fact]
    public async Task Requests_that_cannot_be_are_EINVAL()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x4000);
        client.Refuse(Errno.EINVAL, 2, Fields.Of(32u, 3u, 0ul, Base));
        client.Refuse(Errno.EINVAL, 2, Fields.Of(31u, 3u, 0ul, Base, 0x1000ul));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, flags: 0));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, flags: 0x13));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base + 1, 0x1000));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0xfff));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(ulong.MaxValue & ~0xffful, 0x2000));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0xffff_ffff_ffff_f000));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, flags: 7));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, flags: 11));
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, flags: 15), memory);
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000), memory, memory);
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, offset: 0x800), memory);

        // Beyond the end of the file, by offset, by size and by a sum that wraps.
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, offset: 0x4000), memory);
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x2000, offset: 0x3000), memory);
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, offset: 0xffff_ffff_ffff_f000), memory);
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(Base, 0x1000, flags: 11, offset: 0x8000_0000_0000_0000), memory);
        client.Succeed(2, TestClient.Map(0xffff_ffff_ffff_f000, 0x1000), memory);
    }

    [Fact]
    public async Task Only_files_with_bytes_of_their_own_are_memory()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var (socket, other) = RawSocket.Pair();
        using (socket)
        using (other)
        using (var eventFd = TestFiles.EventFd())
        using (var directory = File.OpenHandle("/proc/self/stat", FileMode.Open))
        using (var zero = TestFiles.Open("/dev/zero", FileMode.Open))
        using (var readOnly = File.OpenHandle("/proc/self/exe", FileMode.Open))
        using (var self = new SafeFileHandle(OpenPath("/proc/self/exe"), true))
        {
            foreach (var bad in new[] { other, eventFd, zero, self, directory })
                client.Refuse(bad == directory ? Errno.EACCES : Errno.EINVAL, 2, TestClient.Map(Base, 0x1000), bad);
            client.Refuse(Errno.EACCES, 2, TestClient.Map(Base, 0x1000), readOnly);
            client.Succeed(2, TestClient.Map(Base, 0x1000, flags: 1), readOnly);
        }

        Assert.Equal(Errno.EFAULT, server.Device.Dma.Write(Base, new byte[1]).Error);
        var magic = new byte[4];
        Assert.True(server.Device.Dma.Read(Base, magic).IsSuccess);
        Assert.Equal("\u007fELF"u8, magic);
    }

    [Fact]
    public async Task File_io_reaches_a_processs_memory()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var here = TestFiles.Open("/proc/self/mem", FileMode.Open);
        using var local = LocalMemory.Allocate(0, 0x2000) is var memory ? new Unmapping(memory) : null!;
        local.Memory.Span[5] = 0x77;
        client.Succeed(2, TestClient.Map(Base, 0x2000, flags: 11, offset: local.Address), here);
        var bytes = new byte[1];
        Assert.True(server.Device.Dma.Read(Base + 5, bytes).IsSuccess);
        Assert.Equal(0x77, bytes[0]);
        Assert.True(server.Device.Dma.Write(Base + 0x1fff, new byte[] { 0x66 }).IsSuccess);
        Assert.Equal(0x66, local.Memory.Span[0x1fff]);
    }

    [Fact]
    public async Task Maps_may_touch_and_not_overlap()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x10000);
        client.Succeed(2, TestClient.Map(Base, 0x10000), memory);
        client.Refuse(Errno.EEXIST, 2, TestClient.Map(Base, 0x10000), memory);
        client.Refuse(Errno.EEXIST, 2, TestClient.Map(Base + 0x4000, 0x1000), memory);
        client.Refuse(Errno.EEXIST, 2, TestClient.Map(Base + 0xf000, 0x2000), memory);
        client.Refuse(Errno.EEXIST, 2, TestClient.Map(Base - 0x1000, 0x2000));
        client.Succeed(2, TestClient.Map(Base + 0x10000, 0x1000), memory);
        client.Succeed(2, TestClient.Map(Base - 0x1000, 0x1000, flags: 1));

        // A transfer runs across maps of different files.
        var bytes = new byte[0x200];
        bytes.AsSpan().Fill(3);
        Assert.True(server.Device.Dma.Write(Base + 0xff00, bytes).IsSuccess);
        Assert.Equal((3, 3), (TestFiles.Read(memory, 0xffff, 1)[0], TestFiles.Read(memory, 0xff, 1)[0]));
    }

    [Fact]
    public async Task More_maps_than_allowed_are_ENOSPC()
    {
        await using var server = await RunningServer.StartAsync(new VfioUserServerOptions { MaxDmaMaps = 64 });
        using var client = server.Connect();
        for (ulong i = 0; i < 64; i++)
            client.Succeed(2, TestClient.Map(i * 0x2000, 0x1000));
        client.Refuse(Errno.ENOSPC, 2, TestClient.Map(64 * 0x2000, 0x1000));
        client.Succeed(3, TestClient.Unmap(0, 0x1000));
        client.Succeed(2, TestClient.Map(64 * 0x2000, 0x1000));
        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
        client.Succeed(2, TestClient.Map(64 * 0x2000, 0x1000));
    }

    [Fact]
    public async Task A_client_may_map_more_than_it_can_be_told()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        for (ulong i = 0; i < 65_537; i++)
            client.Succeed(2, TestClient.Map(i * 0x1000, 0x1000));
        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
    }

    [Fact]
    public async Task Unmap_echoes_and_takes_ranges_that_hold_nothing_or_several_maps_but_cuts_none()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x10000);
        client.Succeed(2, TestClient.Map(Base, 0x4000), memory);
        client.Succeed(2, TestClient.Map(Base + 0x4000, 0x4000));
        client.Succeed(2, TestClient.Map(Base + 0x10000, 0x1000), memory);

        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(Base + 0x1000, 0x1000));
        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(Base, 0x7000));
        Assert.Equal(TestClient.Unmap(0x100000, 0x1000), client.Succeed(3, TestClient.Unmap(0x100000, 0x1000)));
        Assert.True(server.Device.Dma.Read(Base, new byte[1]).IsSuccess);

        // Some clients send the descriptor with the unmap, too.
        Assert.Equal(TestClient.Unmap(Base, 0x8000), client.Succeed(3, TestClient.Unmap(Base, 0x8000), memory));
        Assert.Equal(Errno.EFAULT, server.Device.Dma.Read(Base, new byte[1]).Error);
        Assert.Equal(TestClient.Unmap(0, 0, 2), client.Succeed(3, TestClient.Unmap(0, 0, flags: 2)));
        Assert.Equal(Errno.EFAULT, server.Device.Dma.Read(Base + 0x10000, new byte[1]).Error);
        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
        client.Succeed(2, TestClient.Map(Base, 0x4000), memory);
    }

    [Fact]
    public async Task Bad_unmaps_are_refused()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(Base, 0x1000));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(24u, 0u));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(8u, 0u, Base, 0x1000ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of((1u << 20) + 25, 0u, Base, 0x1000ul));
        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(Base, 0));
        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(Base, 0x1001));
        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(Base, ulong.MaxValue & ~0xffful));
        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(Base, 0x1000, flags: 4));
        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(Base, 0x1000, flags: 2));
        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(0, 0, flags: 3));

        // The dirty bitmap, where nothing is logged.
        client.Refuse(Errno.EINVAL, 3, TestClient.Unmap(Base, 0x1000, flags: 1));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(48u, 1u, Base, 0x1000ul, 0x1000ul, ulong.MaxValue - 40));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(48u, 1u, Base, 0x1000ul, 0x1000ul, 8ul));
        client.Refuse(Errno.EEXIST, 2, TestClient.Map(Base, 0x1000));
    }

    [Fact]
    public async Task Unmap_waits_for_who_holds_the_memory()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x1000);
        client.Succeed(2, TestClient.Map(Base, 0x1000), memory);
        Assert.True(server.Device.Dma.TryAcquire(Base, 0x1000, DmaAccess.Write, out var segment));
        client.Send(3, TestClient.Unmap(Base, 0x1000));
        Assert.False(client.Socket.WaitReadable(100));
        segment.Span[0] = 1;
        segment.Dispose();
        Assert.Equal(0, client.Receive().Error);
        Assert.Equal(1, TestFiles.Read(memory, 0, 1)[0]);
    }

    [Fact]
    public async Task The_memory_of_a_client_that_is_gone_is_gone()
    {
        await using var server = await RunningServer.StartAsync();
        using var memory = TestFiles.SealedMemory(0x1000);
        using (var client = server.Connect())
            client.Succeed(2, TestClient.Map(Base, 0x1000), memory);
        server.AssertServesNext();
        Assert.Equal(Errno.EFAULT, server.Device.Dma.Read(Base, new byte[1]).Error);
    }

    private static int OpenPath(string path)
    {
        // O_PATH has no name in .NET; the runtime passes unknown flags of an enum on to nobody, so libc is asked.
        var descriptor = LibcOpen.open(path, 0x200000 | 0x80000);
        Assert.True(descriptor >= 0);
        return descriptor;
    }

    private sealed class Unmapping(LocalMemory memory) : IDisposable
    {
        private readonly DmaSpace _space = Space(memory);

        public LocalMemory Memory => memory;

        public ulong Address
        {
            get
            {
                Assert.True(_space.TryAcquire(0, 1, DmaAccess.Read, out var segment));
                segment.Dispose();
                return (ulong)segment.Address;
            }
        }

        public void Dispose() => _space.UnmapAll();

        private static DmaSpace Space(LocalMemory memory)
        {
            var space = new DmaSpace();
            Assert.True(space.Map(memory).IsSuccess);
            return space;
        }
    }
}

internal static partial class LibcOpen
{
    [System.Runtime.InteropServices.LibraryImport("libc", StringMarshalling = System.Runtime.InteropServices.StringMarshalling.Utf8)]
    internal static partial int open(string path, int flags);
}
