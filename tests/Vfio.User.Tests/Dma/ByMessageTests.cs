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

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public async Task What_is_written_by_message_is_in_the_log_also_where_the_client_fails_it(int errno)
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        using (var file = TestFiles.SealedMemory(8192))
        {
            client.Succeed(2, TestClient.Map(Mapped, 8192), file);
            var pageSize = 4096ul;
            var log = server.Device.Dma.WriteLog!;
            Assert.True(log.Start([new(Mapped, 8192)], ref pageSize).IsSuccess);
            var write = OnThread(() => server.Device.Dma.ByMessage!.Write(Mapped + 4096, new byte[] { 7, 8 }));
            var request = ReceiveRequest(client.Socket, 12, Mapped + 4096, 2);
            if (errno == 0)
                Answer(client, request, Mapped + 4096, 2ul);
            else
                Assert.True(client.Socket.Send(RawMessage.Build(request.Id, 12, [], 0x21, (uint)errno)));
            Assert.Equal((Errno)errno, (await write).Error);
            var bits = new ulong[1];
            Assert.True(log.Report(Mapped, 8192, 4096, bits).IsSuccess);
            Assert.Equal(2ul, bits[0]);
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
