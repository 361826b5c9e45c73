using Vfio.User.Tests.Peers;
using Vfio.User.Wire;

namespace Vfio.User.Tests.Client;

/// <summary>As many calls as there are ids, and a server that answers late or says what nobody waits for.</summary>
public class ManyCallsTests
{
    private const int Ids = 65_536;
    private static readonly byte[] Answer = Fields.Of(16u, 1u, 0u, 3u);
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task When_every_id_is_given_up_calls_fail_until_a_late_reply_has_freed_one()
    {
        await using var server = await ScriptedServer.ConnectAsync();
        var received = Task.Factory.StartNew(
            () => Enumerable.Range(0, Ids).Select(_ => server.Receive().Id).ToHashSet(), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        var given = new List<Task<Errno>>(Ids);
        using var giveUp = new CancellationTokenSource();
        for (var i = 0; i < Ids; i++)
            given.Add(AskAsync(server.Client, giveUp.Token));
        Assert.Equal(Ids, (await received.WaitAsync(Bound, Cancelled)).Count);
        Assert.Equal(Errno.ENOBUFS, server.Client.Call(7, Answer, new byte[16]).Error);
        await giveUp.CancelAsync();
        Assert.All(await Task.WhenAll(given).WaitAsync(Bound, Cancelled), error => Assert.Equal(Errno.ECANCELED, error));
        Assert.Equal(Errno.ENOBUFS, server.Client.Call(7, Answer, new byte[16]).Error);

        // The late reply of one frees its id, and no other's.
        server.Socket.Send(RawMessage.Build(4711, 7, new byte[40_000], 1));
        server.Socket.Send(RawMessage.Build(1, 1000, []));
        Assert.Equal(Errno.ENOSYS, (Errno)server.Receive().Error);
        var asked = server.Ask();
        var request = server.Receive();
        Assert.Equal(4711, request.Id);
        server.Reply(request, Answer);
        Assert.Equal(new VfioResult<int>(16), await asked);
    }

    [Fact]
    public async Task What_is_not_to_be_answered_is_not()
    {
        await using var server = await ScriptedServer.ConnectAsync();
        server.Socket.Send(RawMessage.Build(1, 1000, [], 0x10));
        server.Socket.Send(RawMessage.Build(2, 11, Fields.Of(0ul, 4ul), 0x10));
        server.Socket.Send(RawMessage.Build(3, 11, Fields.Of(0ul, ulong.MaxValue), 0x10));
        server.Socket.Send(RawMessage.Build(4, 0, []));
        var reply = server.Receive();
        Assert.Equal((4, 0, Errno.ENOSYS), (reply.Id, reply.Command, (Errno)reply.Error));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_ends_while_memory_is_waited_for(bool onTwin)
    {
        const string Twin = "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}";
        using var reached = new SemaphoreSlim(0);
        using var letGo = new SemaphoreSlim(0);
        var (here, there) = RawSocket.Pair();
        using var twin = here;
        using var granted = there;
        await using var server = onTwin
            ? await ScriptedServer.ConnectAsync(new WaitingSpace(reached, letGo), null, Twin, granted)
            : await ScriptedServer.ConnectAsync(new WaitingSpace(reached, letGo));
        (onTwin ? twin : server.Socket).Send(RawMessage.Build(5, 11, Fields.Of(0ul, 4ul)));
        await reached.WaitAsync(Cancelled);
        await server.Client.DisposeAsync().AsTask().WaitAsync(Bound, Cancelled);
        await server.Client.DisposeAsync().AsTask().WaitAsync(Bound, Cancelled);
    }

    [Fact]
    public async Task A_client_is_disposed_of_by_several_at_once()
    {
        for (var i = 0; i < 50; i++)
        {
            await using var server = await ScriptedServer.ConnectAsync();
            using var together = new Barrier(4);
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    together.SignalAndWait(Cancelled);
                    return server.Client.DisposeAsync().AsTask();
                }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));
        }
    }

    private static async Task<Errno> AskAsync(VfioUserClient client, CancellationToken cancellationToken)
    {
        var call = client.Caller.Begin(Command.DeviceGetIrqInfo, Answer, 16)!;
        try
        {
            return (await client.Caller.CallAsync(call, cancellationToken)).Error;
        }
        catch (OperationCanceledException)
        {
            return Errno.ECANCELED;
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    private sealed class WaitingSpace(SemaphoreSlim reached, SemaphoreSlim letGo) : IDmaSpace
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
            return Errno.EFAULT;
        }

        public VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => VfioResult.Success;

        public void CancelTransfers() => letGo.Release();
    }
}
