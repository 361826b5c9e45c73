using Vfio.User.Tests.Dma;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Remote;

/// <summary>DMA of a far device reaches the memory of the client in front: by its descriptor where there is one, by message over both servers.</summary>
public class ChainDmaTests
{
    private const ulong Base = 0x10_0000;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Memory_with_a_descriptor_is_touched_in_place_by_the_far_device()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        using var memory = TestFiles.SealedMemory(0x10000);
        client.Succeed(2, TestClient.Map(Base, 0x2000, offset: 0x3000), memory);

        var dma = chain.Far.Device.Dma;
        Assert.True(dma.TryAcquire(Base + 0x10, 4, DmaAccess.Write, out var segment));
        new byte[] { 1, 2, 3, 4 }.CopyTo(segment.Span);
        segment.Dispose();
        Assert.Equal([1, 2, 3, 4], TestFiles.Read(memory, 0x3010, 4));

        client.Succeed(3, TestClient.Unmap(Base, 0x2000));
        Assert.False(dma.TryAcquire(Base, 4, DmaAccess.Read, out _));
        Assert.Equal(Errno.EFAULT, dma.Read(Base, new byte[4]).Error);
    }

    [Fact]
    public async Task What_a_client_may_not_write_the_far_device_may_not_either()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        using var memory = TestFiles.SealedMemory(0x10000);
        client.Succeed(2, TestClient.Map(Base, 0x1000, flags: 1), memory);

        Assert.True(chain.Far.Device.Dma.Read(Base, new byte[4]).IsSuccess);
        Assert.Equal(Errno.EFAULT, chain.Far.Device.Dma.Write(Base, new byte[4]).Error);
    }

    [Fact]
    public async Task Memory_without_a_descriptor_is_reached_by_messages_over_both_servers()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        client.Succeed(2, TestClient.Map(Base, 0x10000));
        var dma = chain.Far.Device.Dma;

        var bytes = new byte[3];
        var read = MessageTransfers.OnThread(() => dma.Read(Base + 5, bytes));
        var request = MessageTransfers.ReceiveRequest(client.Socket, 11, Base + 5, 3);
        MessageTransfers.Answer(client, request, Base + 5, 3ul, new byte[] { 1, 2, 3 });
        Assert.True((await read).IsSuccess);
        Assert.Equal([1, 2, 3], bytes);

        var write = MessageTransfers.OnThread(() => dma.Write(Base, new byte[] { 4, 5 }));
        request = MessageTransfers.ReceiveRequest(client.Socket, 12, Base, 2);
        Assert.Equal([4, 5], request.Payload[16..]);
        MessageTransfers.Answer(client, request, Base, 2ul);
        Assert.True((await write).IsSuccess);
    }

    [Fact]
    public async Task A_file_that_can_shrink_is_passed_on_too()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        using var memory = TestFiles.UnsealedMemory(0x10000);
        client.Succeed(2, TestClient.Map(Base, 0x1000, offset: 0x1000), memory);

        Assert.True(chain.Far.Device.Dma.Write(Base + 8, new byte[] { 9, 8 }).IsSuccess);
        Assert.Equal([9, 8], TestFiles.Read(memory, 0x1008, 2));
    }

    [Fact]
    public async Task An_unmap_ends_a_transfer_of_the_far_device_that_waits_for_the_client()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        client.Succeed(2, TestClient.Map(Base, 0x10000));
        var read = MessageTransfers.OnThread(() => chain.Far.Device.Dma.Read(Base, new byte[4]));
        MessageTransfers.ReceiveRequest(client.Socket, 11, Base, 4);

        // The client never answers what it was asked, and waits for its own reply.
        client.Succeed(3, TestClient.Unmap(Base, 0x10000));
        Assert.Equal(Errno.ECANCELED, (await read.WaitAsync(TimeSpan.FromSeconds(30), Cancellation)).Error);
    }

    [Fact]
    public async Task An_unmap_is_over_when_the_far_device_has_let_go()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        using var memory = TestFiles.SealedMemory(0x10000);
        client.Succeed(2, TestClient.Map(Base, 0x10000), memory);
        Assert.True(chain.Far.Device.Dma.TryAcquire(Base, 4, DmaAccess.Write, out var segment));
        client.Socket.Send(RawMessage.Build(500, 3, TestClient.Unmap(Base, 0x10000)));
        Assert.False(client.Socket.WaitReadable(200));
        segment.Span[0] = 5;
        segment.Dispose();
        var reply = client.Socket.ReceiveMessage()!;
        Assert.Equal((500, 0), (reply.Id, reply.Error));
        Assert.Equal([5], TestFiles.Read(memory, 0, 1));
        Assert.False(chain.Far.Device.Dma.TryAcquire(Base, 4, DmaAccess.Write, out _));
    }

    [Fact]
    public async Task A_reset_ends_a_transfer_of_the_far_device_that_waits_for_the_client()
    {
        await using var chain = await Chain.StartAsync();
        using var client = chain.Connect();
        client.Succeed(2, TestClient.Map(Base, 0x10000));
        var dma = chain.Far.Device.Dma;
        var read = MessageTransfers.OnThread(() => dma.Read(Base, new byte[4]));
        MessageTransfers.ReceiveRequest(client.Socket, 11, Base, 4);
        chain.Far.Device.OnReset = async _ =>
        {
            // As a function does: it gives up its transfers, and waits for its own work to end.
            dma.CancelTransfers();
            await read;
            return VfioResult.Success;
        };

        client.Succeed(13, []);
        Assert.Equal(Errno.ECANCELED, (await read.WaitAsync(TimeSpan.FromSeconds(30), Cancellation)).Error);
    }

    [Fact]
    public async Task A_map_that_the_far_server_does_not_take_is_refused_to_the_client()
    {
        await using var chain = await Chain.StartAsync(far: new VfioUserServerOptions { MaxDmaMaps = 1 });
        using var client = chain.Connect();
        using var memory = TestFiles.SealedMemory(0x10000);
        client.Succeed(2, TestClient.Map(Base, 0x1000), memory);
        client.Refuse(Errno.ENOSPC, 2, TestClient.Map(Base + 0x1000, 0x1000), memory);

        client.Succeed(3, TestClient.Unmap(Base, 0x1000));
        client.Succeed(2, TestClient.Map(Base + 0x1000, 0x1000), memory);
    }

    [Fact]
    public async Task Memory_that_was_mapped_before_the_device_was_opened_is_there()
    {
        await using var chain = await Chain.StartAsync();
        var space = new DmaSpace();
        var memory = LocalMemory.Allocate(Base, 0x2000);
        Assert.True(space.Map(memory).IsSuccess);
        memory.Span[7] = 77;
        Assert.True((await chain.Near.OpenAsync(new() { Dma = space }, Cancellation)).IsSuccess);

        Assert.True(chain.Far.Device.Dma.TryAcquire(Base + 7, 1, DmaAccess.Read | DmaAccess.Write, out var segment));
        Assert.Equal(77, segment.Span[0]);
        segment.Dispose();
        await chain.Near.CloseAsync(ResetCause.Close);
        space.UnmapAll();
    }
}
