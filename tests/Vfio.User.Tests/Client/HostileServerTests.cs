using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

public class HostileServerTests
{
    private static readonly byte[] Answer = Fields.Of(16u, 1u, 0u, 3u);

    public static TheoryData<string, byte[]> Malformed => new()
    {
        { "an id that was not asked", RawMessage.Build(999, 7, Answer, 1) },
        { "another command", RawMessage.Build(1, 9, Answer, 1) },
        { "flags of a command", RawMessage.Build(1, 7, Answer, 0x11) },
        { "unknown flags", RawMessage.Build(1, 7, Answer, 0x41) },
        { "no known type", RawMessage.Build(1, 7, Answer, 2) },
        { "more than there is room for", RawMessage.Build(1, 7, [.. Answer, 0], 1) },
        { "a size below a header", RawMessage.Build(1, 7, Answer, 1, size: 15) },
        { "a size above all limits", RawMessage.Build(1, 7, Answer, 1, size: (1 << 20) + 33) },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task A_reply_that_cannot_be_ends_the_connection_with_a_reason(string what, byte[] reply)
    {
        await using var server = await ScriptedServer.ConnectAsync();
        var asked = server.Ask();
        Assert.Equal(1, server.Receive().Id);
        server.Socket.Send(reply);
        Assert.Equal((what, Errno.ECONNRESET), (what, (await asked).Error));
        Assert.Equal((what, Errno.ENOTCONN), (what, (await server.Ask()).Error));
        var reason = await Assert.ThrowsAsync<VfioException>(() => server.Client.Completion);
        Assert.Equal(Errno.EPROTO, reason.Error);
        Assert.Null(server.Socket.ReceiveMessage());
    }

    [Fact]
    public async Task A_reply_with_descriptors_that_nobody_asked_for_ends_the_connection()
    {
        await using var server = await ScriptedServer.ConnectAsync();
        using var descriptor = TestFiles.EventFd();
        var asked = server.Ask();
        server.Reply(server.Receive(), Answer, descriptor);
        Assert.Equal(Errno.ECONNRESET, (await asked).Error);
        Assert.Contains("descriptors", (await Assert.ThrowsAsync<VfioException>(() => server.Client.Completion)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_errno_that_is_none_is_EIO_and_a_payload_of_an_error_is_passed_over()
    {
        await using var server = await ScriptedServer.ConnectAsync();
        foreach (var (sent, received) in new[] { (0u, Errno.EIO), (0xbeefu, Errno.EIO), (22u, Errno.EINVAL) })
        {
            var asked = server.Ask();
            var request = server.Receive();
            server.Socket.Send(RawMessage.Build(request.Id, 7, new byte[64], 0x21, sent));
            Assert.Equal(received, (await asked).Error);
        }
    }

    [Fact]
    public async Task Replies_find_their_callers_in_any_order_and_however_they_are_split()
    {
        await using var server = await ScriptedServer.ConnectAsync();
        var calls = Enumerable.Range(0, 20).Select(_ => Task.Factory.StartNew(
            () => Read(server.Client), TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        var requests = calls.Select(_ => server.Receive()).ToArray();
        Assert.Equal(20, requests.Select(request => request.Id).Distinct().Count());
        foreach (var request in requests.Reverse())
        {
            foreach (var one in RawMessage.Build(request.Id, 9, [.. request.Payload, (byte)request.Id, 0, 0, 0], 1))
                server.Socket.Send([one]);
        }

        await Task.WhenAll(calls);
        Assert.Equal(requests.Select(request => (uint)request.Id).Order(), calls.Select(call => call.Result).Order());
    }

    [Fact]
    public async Task A_late_reply_is_dropped_with_its_data_and_its_id_not_used_before()
    {
        await using var server = await ScriptedServer.ConnectAsync(
            options: new VfioUserClientOptions { CallTimeout = TimeSpan.FromSeconds(1) });
        Assert.Equal(Errno.ETIMEDOUT, (await server.Ask()).Error);
        var late = server.Receive();
        var ids = new HashSet<ushort>();
        const int Calls = 70_000;
        var calls = Task.Factory.StartNew(
            () =>
            {
                var reply = new byte[16];
                for (var i = 0; i < Calls; i++)
                    Assert.Equal(Errno.None, server.Client.Call(7, Fields.Of(16u, 0u, 0u, 0u), reply).Error);
            }, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (var i = 0; i < Calls; i++)
        {
            var request = server.Receive();
            ids.Add(request.Id);
            if (i == Calls - 1)
                server.Reply(late, new byte[4096]);
            server.Reply(request, Answer);
        }

        await calls;
        Assert.DoesNotContain(late.Id, ids);
        Assert.Equal(65_535, ids.Count);
    }

    [Fact]
    public async Task The_end_of_the_server_at_any_byte_of_a_reply_fails_what_waits()
    {
        var reply = RawMessage.Build(1, 9, Fields.Of(0ul, 0u, 4u, 7u), 1);
        for (var length = 0; length < reply.Length; length++)
        {
            await using var server = await ScriptedServer.ConnectAsync();
            var waiting = Task.Run(() => new VfioResult<int>(server.Client.Call(9, Fields.Of(0ul, 0u, 4u), new byte[20]).Error));
            server.Receive();
            server.Socket.Send(reply.AsSpan(0, length));
            server.Socket.Dispose();
            Assert.Equal(Errno.ECONNRESET, (await waiting).Error);
            Assert.Equal(Errno.ECONNRESET, (await Assert.ThrowsAsync<VfioException>(() => server.Client.Completion)).Error);
        }
    }

    [Fact]
    public async Task Disposing_fails_what_waits_and_is_no_failure()
    {
        await using var server = await ScriptedServer.ConnectAsync();
        var waiting = server.Ask();
        server.Receive();
        await server.Client.DisposeAsync();
        Assert.Equal(Errno.ENOTCONN, (await waiting).Error);
        await server.Client.Completion;
        Assert.Equal(Errno.ENOTCONN, (await server.Ask()).Error);
        Assert.Null(server.Socket.ReceiveMessage());
    }

    private static unsafe uint Read(VfioUserClient client)
    {
        uint value = 0;
        var read = Vfio.User.Client.Devices.RegionAccess.Read(client, 0, 0, new Span<byte>(&value, sizeof(uint)));
        Assert.Equal(new VfioResult<int>(4), read);
        return value;
    }
}
