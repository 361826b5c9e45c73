using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

public class DmaServingTests
{
    private static readonly byte[] Answer = Fields.Of(16u, 1u, 0u, 3u);

    public static TheoryData<ushort, byte[], Errno> Refused => new()
    {
        { 11, Fields.Of(0x1000ul, (1ul << 20) + 1), Errno.E2BIG },
        { 11, Fields.Of(0x1000ul, ulong.MaxValue), Errno.E2BIG },
        { 12, Fields.Of(0x1000ul, 4ul, new byte[3]), Errno.E2BIG },
        { 12, Fields.Of(0x1000ul, ulong.MaxValue, new byte[3]), Errno.E2BIG },
        { 11, Fields.Of(0x1000ul), Errno.EINVAL },
        { 12, [], Errno.EINVAL },
        { 11, Fields.Of(0ul, 4ul), Errno.ENODEV },
        { 11, Fields.Of(0x1ffeul, 4ul), Errno.ENODEV },
        { 12, Fields.Of(ulong.MaxValue, 2ul, new byte[2]), Errno.ENODEV },
        { 9, Fields.Of(0ul, 0u, 4u), Errno.ENOSYS },
        { 1000, [], Errno.ENOSYS },
    };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_server_reads_and_writes_our_memory(bool onTwin)
    {
        var (server, socket, memory, dma) = await ConnectAsync(onTwin);
        await using var ending = server;
        new byte[] { 1, 2, 3, 4 }.CopyTo(memory.Span);
        Assert.Equal(Fields.Of(0x1000ul, 4ul, 0x04030201u), Ask(socket, 11, Fields.Of(0x1000ul, 4ul)).Payload);
        Assert.Equal(Fields.Of(0x1ffcul, 4ul), Ask(socket, 12, Fields.Of(0x1ffcul, 4ul, 0x08070605u)).Payload);
        Assert.Equal([5, 6, 7, 8], memory.Span[^4..].ToArray());
        Assert.Equal(Fields.Of(0ul, 0ul), Ask(socket, 11, Fields.Of(0ul, 0ul)).Payload);

        // A posted write is not answered: the next answer is another's.
        socket.Send(RawMessage.Build(70, 12, Fields.Of(0x1000ul, 1ul, (byte)9), 0x10));
        Assert.Equal(Fields.Of(0x1000ul, 1ul, (byte)9), Ask(socket, 11, Fields.Of(0x1000ul, 1ul)).Payload);
        dma.UnmapAll();
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task What_cannot_be_asked_is_refused_as_QEMU_does(ushort command, byte[] payload, Errno error)
    {
        var (server, socket, _, dma) = await ConnectAsync(false);
        await using var ending = server;
        var reply = Ask(socket, command, payload);
        Assert.Equal((0x21u, error, 16u), (reply.Flags, (Errno)reply.Error, reply.Size));
        using var descriptor = TestFiles.EventFd();
        socket.Send(RawMessage.Build(3, 11, Fields.Of(0x1000ul, 4ul)), descriptor);
        Assert.Equal(Errno.EINVAL, (Errno)socket.ReceiveMessage()!.Error);
        dma.UnmapAll();
    }

    [Fact]
    public async Task The_server_reaches_our_memory_while_it_answers_and_memory_that_waits_does_not_keep_the_answer()
    {
        using var reached = new SemaphoreSlim(0);
        using var letGo = new SemaphoreSlim(0);
        await using var server = await ScriptedServer.ConnectAsync(new SlowSpace(reached, letGo));
        var asked = server.Ask();
        var request = server.Receive();
        server.Socket.Send(RawMessage.Build(5, 11, Fields.Of(0ul, 4ul)));
        await reached.WaitAsync(TestContext.Current.CancellationToken);
        server.Reply(request, Answer);
        Assert.Equal(new VfioResult<int>(16), await asked);
        letGo.Release();
        Assert.Equal((5, 11, 1u), Head(server.Receive()));
    }

    [Fact]
    public async Task Memory_that_throws_is_EIO()
    {
        await using var server = await ScriptedServer.ConnectAsync(new BrokenSpace());
        Assert.Equal(Errno.EIO, (Errno)Ask(server.Socket, 11, Fields.Of(0ul, 4ul)).Error);
        Assert.Equal(Errno.EIO, (Errno)Ask(server.Socket, 12, Fields.Of(0ul, 1ul, (byte)1)).Error);
    }

    private static (ushort, ushort, uint) Head(RawMessage message) => (message.Id, message.Command, message.Flags);

    private static RawMessage Ask(RawSocket socket, ushort command, byte[] payload)
    {
        socket.Send(RawMessage.Build(77, command, payload));
        var reply = socket.ReceiveMessage()!;
        Assert.Equal((77, command), (reply.Id, reply.Command));
        return reply;
    }

    private static async Task<(ScriptedServer Server, RawSocket Socket, LocalMemory Memory, DmaSpace Dma)> ConnectAsync(bool onTwin)
    {
        var dma = new DmaSpace();
        var memory = LocalMemory.Allocate(0x1000, 0x1000);
        Assert.True(dma.Map(memory).IsSuccess);
        if (!onTwin)
        {
            var server = await ScriptedServer.ConnectAsync(dma);
            return (server, server.Socket, memory, dma);
        }

        const string Twin = "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}";
        var (here, there) = RawSocket.Pair();
        var with = await ScriptedServer.ConnectAsync(dma, null, Twin, there);
        there.Dispose();
        Assert.True(with.Client.Server.TwinSocket);
        return (with, here, memory, dma);
    }

    private sealed class SlowSpace(SemaphoreSlim reached, SemaphoreSlim letGo) : IDmaSpace
    {
        public bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
        {
            segment = default;
            return false;
        }

        public VfioResult Read(ulong iova, Span<byte> destination)
        {
            reached.Release();
            letGo.Wait();
            return VfioResult.Success;
        }

        public VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => VfioResult.Success;

        public void CancelTransfers() => letGo.Release();
    }

    private sealed class BrokenSpace : IDmaSpace
    {
        public bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
            => throw new InvalidOperationException("broken");

        public VfioResult Read(ulong iova, Span<byte> destination) => throw new InvalidOperationException("broken");

        public VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => throw new InvalidOperationException("broken");

        public void CancelTransfers()
        {
        }
    }
}
