using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Dma;

/// <summary>
/// What as many maps as a client may have take of the process: the kernel gives it fewer mappings than that, and fewer descriptors.
/// </summary>
[Collection(ProcessWide.Name)]
public class ManyMapsTests
{
    private const ulong Page = 4096;
    private const int Most = 65535;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task All_the_maps_that_are_allowed_can_be_made_of_single_pages(bool isSealed)
    {
        const int FilePages = 1 << 20, Spread = 40503;
        await using var server = await RunningServer.StartAsync(new VfioUserServerOptions { MaxDmaMaps = Most });
        using var client = server.Connect();
        using var memory = isSealed ? TestFiles.SealedMemory(FilePages * (long)Page) : TestFiles.UnsealedMemory(FilePages * (long)Page);
        var descriptors = SettledDescriptors();
        Assert.Equal(Most, Fill(client, Most, i => (TestClient.Map(Iova(i), Page, offset: FilePage(i) * Page), memory)));
        client.Refuse(Errno.ENOSPC, 2, TestClient.Map(Iova(Most), Page), memory);

        var dma = server.Device.Dma;
        for (var i = 0; i < Most; i += 1021)
        {
            Assert.True(dma.Write(Iova(i) + 8, BitConverter.GetBytes(i)).IsSuccess);
            Assert.Equal(BitConverter.GetBytes(i), TestFiles.Read(memory, (long)((FilePage(i) * Page) + 8), 4));
            Assert.Equal(Errno.EFAULT, dma.Read(Iova(i) + Page, new byte[1]).Error);
        }

        var more = TestFiles.OpenDescriptors() - descriptors;
        Assert.True(more is >= 0 and <= 2, $"{more} more: {string.Join(", ", TestFiles.DescriptorTargets())}");
        Assert.InRange(Mappings().Count, isSealed ? 1 : 0, isSealed ? 4 : 0);
        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
        Assert.Empty(Mappings());
        client.Succeed(2, TestClient.Map(0, Page), memory);

        static ulong Iova(int i) => (ulong)i * 2 * Page;
        static ulong FilePage(int i) => (ulong)i * Spread % FilePages;
    }

    [Fact]
    public async Task A_client_with_a_file_for_each_map_is_refused_before_the_process_has_no_mapping_left()
    {
        var limit = int.Parse(File.ReadAllText("/proc/sys/vm/max_map_count"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.SkipWhen(limit / 16 >= Most, "this system allows more mappings than one client may have maps");
        await using var server = await RunningServer.StartAsync();
        await using var others = await RunningServer.StartAsync();
        for (var visit = 0; visit < 2; visit++)
        {
            using var client = server.Connect();
            var made = Fill(client, Most, i => (TestClient.Map((ulong)i * Page, Page), TestFiles.SealedMemory((long)Page)), Errno.ENOMEM);
            Assert.Equal(limit / 2 / 8, made);
            Assert.Equal(made, Mappings().Count);
            client.Succeed(3, TestClient.Unmap(0, Page));
            using var memory = TestFiles.SealedMemory((long)Page);
            client.Succeed(2, TestClient.Map(0, Page), memory);
            using var other = others.Connect();
            other.Succeed(2, TestClient.Map(0, Page), memory);
        }

        server.AssertServesNext();
        others.AssertServesNext();
        Assert.Empty(Mappings());
    }

    [Fact]
    public async Task A_client_with_a_file_for_each_map_is_refused_before_the_process_has_no_descriptor_left()
    {
        await using var server = await RunningServer.StartAsync();
        var before = SettledDescriptors();
        using (DescriptorLimit.Of(before + 1600))
        {
            using var client = server.Connect();
            var made = Fill(client, Most, i => (TestClient.Map((ulong)i * Page, Page), TestFiles.UnsealedMemory((long)Page)), Errno.EMFILE);
            Assert.Equal((before + 1600) / 2 / 8, made);
            client.Succeed(3, TestClient.Unmap(0, Page));
            using var memory = TestFiles.UnsealedMemory((long)Page);
            client.Succeed(2, TestClient.Map(0, Page), memory);
        }

        server.AssertServesNext();
    }

    [Fact]
    public async Task A_client_with_huge_sparse_files_is_refused_before_the_process_has_no_addresses_left()
    {
        const ulong TiB = 1ul << 40;
        await using var server = await RunningServer.StartAsync();
        await using var others = await RunningServer.StartAsync();
        for (var visit = 0; visit < 2; visit++)
        {
            using var client = server.Connect();
            var (mapped, iova) = (0ul, 0ul);
            for (var size = 64 * TiB; size >= TiB; size /= 2)
            {
                using var memory = TestFiles.SealedMemory((long)size);
                while (client.Request(2, TestClient.Map(iova, size), memory).Error == 0)
                    (mapped, iova) = (mapped + size, iova + size);
            }

            Assert.Equal(8 * TiB, mapped);
            using var page = TestFiles.SealedMemory((long)Page);
            using var other = others.Connect();
            other.Succeed(2, TestClient.Map(0, Page), page);
            client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
            client.Succeed(2, TestClient.Map(0, Page), page);
        }

        server.AssertServesNext();
        others.AssertServesNext();
        Assert.Empty(Mappings());
    }

    [Fact]
    public async Task One_descriptor_is_kept_of_each_open_file_description()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var first = TestFiles.Open("/proc/self/mem", FileMode.Open);
        using var second = TestFiles.Open("/proc/self/mem", FileMode.Open);
        var before = SettledDescriptors();
        ulong next = 0;
        foreach (var (file, kept) in new[] { (first, 1), (first, 1), (second, 2), (second, 2) })
        {
            client.Succeed(2, TestClient.Map(Page * next++, Page, flags: 11), file);
            Assert.Equal(kept, TestFiles.OpenDescriptors() - before);
        }

        client.Succeed(3, TestClient.Unmap(0, Page));
        Assert.Equal(2, TestFiles.OpenDescriptors() - before);
        client.Succeed(3, TestClient.Unmap(Page, Page));
        Assert.Equal(1, TestFiles.OpenDescriptors() - before);
        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
        Assert.Equal(0, TestFiles.OpenDescriptors() - before);
    }

    [Fact]
    public async Task Maps_of_one_file_share_a_mapping_only_where_their_access_is_the_same()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(16 * (long)Page);
        using var other = TestFiles.SealedMemory(16 * (long)Page);
        for (ulong i = 0; i < 8; i++)
            client.Succeed(2, TestClient.Map(i * Page, Page, flags: i % 2 == 0 ? 3u : 1u, offset: (8 - i) * Page), memory);
        client.Succeed(2, TestClient.Map(100 * Page, Page, offset: Page), other);
        Assert.Equal(["r--s", "rw-s", "rw-s"], Mappings().Select(line => line.Split(' ')[1]).Order(StringComparer.Ordinal));

        // The same offset of two files.
        Assert.True(server.Device.Dma.Write(100 * Page, new byte[] { 1 }).IsSuccess);
        Assert.Equal((0, 1), (TestFiles.Read(memory, (long)Page, 1)[0], TestFiles.Read(other, (long)Page, 1)[0]));
        client.Succeed(3, TestClient.Unmap(0, 7 * Page));
        Assert.Equal(2, Mappings().Count);
        client.Succeed(3, TestClient.Unmap(7 * Page, Page));
        Assert.Single(Mappings());
    }

    [Fact]
    public async Task A_file_that_has_grown_is_mapped_further_and_what_was_mapped_stays()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory((long)Page);
        var dma = server.Device.Dma;
        for (ulong pages = 1; pages <= 4; pages++)
        {
            Assert.Equal(0, Libc.ftruncate(memory, (long)(pages * Page)));
            client.Refuse(Errno.EINVAL, 2, TestClient.Map(pages * Page, Page, offset: pages * Page), memory);
            client.Succeed(2, TestClient.Map(pages * Page, Page, offset: (pages - 1) * Page), memory);
            for (var page = 1ul; page <= pages; page++)
                Assert.True(dma.Write(page * Page, new[] { (byte)(page + pages) }).IsSuccess);
        }

        Assert.Equal([5, 6, 7, 8], Enumerable.Range(0, 4).Select(page => (int)TestFiles.Read(memory, page * (long)Page, 1)[0]));
        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
        Assert.Empty(Mappings());
    }

    [Fact]
    public async Task Ranges_that_lie_in_no_window_have_a_mapping_of_their_own()
    {
        const ulong Window = 1ul << 30;
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(3 * (long)Window);
        client.Succeed(2, TestClient.Map(0, 2 * Page, offset: Window - Page), memory);
        client.Succeed(2, TestClient.Map(Window, (2 * Window) + Page, offset: Window - Page), memory);
        client.Succeed(2, TestClient.Map(8 * Window, Window, offset: 2 * Window), memory);
        var dma = server.Device.Dma;
        Assert.True(dma.Write(Page - 1, new byte[] { 1, 2 }).IsSuccess);
        Assert.Equal([1, 2], TestFiles.Read(memory, (long)Window - 1, 2));
        Assert.True(dma.Write((3 * Window) + Page - 1, new byte[] { 3 }).IsSuccess);
        var last = new byte[1];
        Assert.True(dma.Read((9 * Window) - 1, last).IsSuccess);
        Assert.Equal((3, 3), (last[0], TestFiles.Read(memory, (3 * (long)Window) - 1, 1)[0]));
        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
        Assert.Empty(Mappings());
    }

    // Sends several before it asks for their answers; returns how many succeeded before the first that did not.
    private static int Fill(
        TestClient client, int count, Func<int, (byte[] Payload, SafeFileHandle File)> map, Errno expected = Errno.None)
    {
        const int Ahead = 32;
        for (var done = 0; done < count; done += Ahead)
        {
            var ahead = Math.Min(Ahead, count - done);
            for (var i = 0; i < ahead; i++)
            {
                var (payload, file) = map(done + i);
                client.Send(2, payload, 0, file);
                if (expected != Errno.None)
                    file.Dispose();
            }

            var errors = Enumerable.Range(0, ahead).Select(_ => (Errno)client.Receive().Error).ToList();
            var failed = errors.FindIndex(error => error != Errno.None);
            if (failed < 0)
                continue;
            Assert.All(errors.Skip(failed), error => Assert.Equal(expected, error));
            return done + failed;
        }

        return count;
    }

    // What earlier tests have left to the finalizer is not to be closed in the middle.
    private static int SettledDescriptors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return TestFiles.OpenDescriptors();
    }

    private static List<string> Mappings()
        => [.. File.ReadLines("/proc/self/maps").Where(line => line.Contains("memfd:guest", StringComparison.Ordinal))];
}
