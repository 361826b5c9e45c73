using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Dma;

/// <summary>What a client has mapped can be passed on to another process.</summary>
[Collection(ProcessWide.Name)]
public class BackingTests
{
    private const ulong Base = 0x10_0000, Page = 4096;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_file_of_a_range_is_told_with_the_range(bool isSealed)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = isSealed ? TestFiles.SealedMemory(0x10000) : TestFiles.UnsealedMemory(0x10000);
        using var byCalls = TestFiles.UnsealedMemory(0x10000);
        TestFiles.Write(memory, 0x3000, [1, 2, 3]);
        var observer = new Keeping();
        using var following = ((DmaSpace)server.Device.Dma).Observe(observer);

        client.Succeed(2, TestClient.Map(Base, 0x2000, offset: 0x3000), memory);
        client.Succeed(2, TestClient.Map(Base + 0x2000, Page, offset: 0x3000, flags: 11), byCalls);
        client.Succeed(2, TestClient.Map(Base + 0x3000, Page));
        var (file, offset) = observer.Maps[0].Backing!.Value;
        Assert.Equal(0x3000ul, offset);
        Assert.Equal([1, 2, 3], TestFiles.Read(file, (long)offset, 3));
        Assert.Null(observer.Maps[1].Backing);
        Assert.Null(observer.Maps[2].Backing);

        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
        Assert.Equal(observer.Maps, observer.Gone);
        Assert.True(file.IsClosed);
    }

    [Fact]
    public async Task A_range_that_an_observer_cannot_have_is_refused_with_its_errno_and_leaves_nothing()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x10000);
        using (((DmaSpace)server.Device.Dma).Observe(new Keeping { Answer = Errno.ENOSPC }))
        {
            client.Refuse(Errno.ENOSPC, 2, TestClient.Map(Base, Page), memory);
            client.Refuse(Errno.ENOSPC, 2, TestClient.Map(Base, Page));
        }

        Assert.Equal(Errno.EFAULT, server.Device.Dma.Read(Base, new byte[1]).Error);
        client.Succeed(2, TestClient.Map(Base, Page), memory);
    }

    [Fact]
    public async Task Files_beyond_a_clients_share_are_mapped_and_have_no_descriptor_to_pass_on()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var before = TestFiles.OpenDescriptors();
        var observer = new Keeping();
        using (DescriptorLimit.Of(1024))
        using (((DmaSpace)server.Device.Dma).Observe(observer))
        {
            const int Files = 40, Share = 1024 / 8 / 8;
            for (var i = 0; i < Files; i++)
            {
                using var memory = TestFiles.SealedMemory((long)Page);
                client.Succeed(2, TestClient.Map(Base + ((ulong)i * Page), Page), memory);
            }

            Assert.Equal(Share, observer.Maps.Count(map => map.Backing is not null));
            Assert.All(observer.Maps, map => Assert.True(map.IsDirect));
            Assert.Equal(Share, TestFiles.OpenDescriptors() - before);
        }

        client.Succeed(3, TestClient.Unmap(0, 0, flags: 2));
        Assert.Equal(before, TestFiles.OpenDescriptors());
    }

    private sealed class Keeping : IDmaObserver
    {
        public List<DmaMap> Maps { get; } = [];

        public List<DmaMap> Gone { get; } = [];

        public Errno Answer { get; init; }

        public VfioResult OnMapped(DmaMap map)
        {
            Maps.Add(map);
            return Answer;
        }

        public void OnUnmapping(DmaMap map) => Gone.Add(map);
    }
}
