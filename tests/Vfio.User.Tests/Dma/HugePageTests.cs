using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Dma;

public class HugePageTests
{
    [Fact]
    public async Task Parts_of_a_huge_page_are_mapped_and_given_back()
    {
        const uint HugeTlb = 4;
        const ulong Page = 2 << 20;
        using var memory = Libc.memfd_create("huge", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING | HugeTlb);
        Assert.SkipWhen(
            memory.IsInvalid || Libc.ftruncate(memory, 2 * (long)Page) != 0 || Libc.fallocate(memory, 0, 0, 2 * (long)Page) != 0,
            "no huge pages: echo 2 > /proc/sys/vm/nr_hugepages");
        Assert.Equal(0, Libc.fcntl(memory, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK));
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();

        // As a PC's memory is cut: below 640 KiB, and from 768 KiB on.
        client.Succeed(2, TestClient.Map(0, 0xa0000), memory);
        client.Succeed(2, TestClient.Map(0xc0000, (2 * Page) - 0xc0000, offset: 0xc0000), memory);
        var dma = server.Device.Dma;
        Assert.True(dma.Write(0xc0004, new byte[] { 1, 2, 3 }).IsSuccess);
        var bytes = new byte[3];
        Assert.True(dma.Read(0xc0004, bytes).IsSuccess);
        Assert.Equal([1, 2, 3], bytes);
        client.Succeed(3, TestClient.Unmap(0, 0, 2));
        Assert.DoesNotContain(File.ReadLines("/proc/self/maps"), line => line.Contains("memfd:huge", StringComparison.Ordinal));
    }
}
