using Vfio.User.Tests.Peers;
using static Vfio.User.Tests.Dma.MessageTransfers;

namespace Vfio.User.Tests.Dma;

/// <summary>DMA_READ and DMA_WRITE to memory that came with a descriptor, for a device that asks for messages.</summary>
public class ByMessageTests
{
    private const ulong Mapped = 0x400000;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Memory_with_a_file_is_reached_by_message_where_the_device_wants_that(bool isSealed)
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        using (var file = isSealed ? TestFiles.SealedMemory(4096) : TestFiles.UnsealedMemory(4096))
        {
            client.Succeed(2, TestClient.Map(Mapped, 4096), file);
            var space = server.Device.Dma.ByMessage!;
            Assert.False(space.TryAcquire(Mapped, 1, DmaAccess.Read, out _));
            var write = OnThread(() => space.Write(Mapped + 1, new byte[] { 7, 8 }));
            var request = ReceiveRequest(client.Socket, 12, Mapped + 1, 2);
            Assert.Equal([7, 8], request.Payload[16..]);
            Answer(client, request, Mapped + 1, 2ul);
            Assert.True((await write).IsSuccess);
            Assert.Equal([0, 0, 0], TestFiles.Read(file, 0, 3));

            var bytes = new byte[2];
            var read = OnThread(() => space.Read(Mapped, bytes));
            Answer(client, ReceiveRequest(client.Socket, 11, Mapped, 2), Mapped, 2ul, new byte[] { 1, 2 });
            Assert.True((await read).IsSuccess);
            Assert.Equal([1, 2], bytes);
        }
    }

    [Fact]
    public async Task What_is_not_mapped_or_not_for_that_is_asked_of_nobody()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        using (var file = TestFiles.SealedMemory(4096))
        {
            client.Succeed(2, TestClient.Map(Mapped, 4096, flags: 1), file);
            var space = server.Device.Dma.ByMessage!;
            Assert.Equal(Errno.EFAULT, space.Write(Mapped, new byte[1]).Error);
            Assert.Equal(Errno.EFAULT, space.Read(Mapped + 4096, new byte[1]).Error);
        }
    }

    [Fact]
    public async Task An_unmap_ends_what_waits_for_the_range_by_message()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        using (var file = TestFiles.SealedMemory(4096))
        {
            client.Succeed(2, TestClient.Map(Mapped, 4096), file);
            var read = OnThread(() => server.Device.Dma.ByMessage!.Read(Mapped, new byte[2]));
            ReceiveRequest(client.Socket, 11, Mapped, 2);
            client.Succeed(3, TestClient.Unmap(Mapped, 4096));
            Assert.Equal(Errno.ECANCELED, (await read).Error);
        }
    }
}
