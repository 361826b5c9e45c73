using Microsoft.Extensions.Logging;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Serving;

/// <summary>The life of a session: who opens and closes the device, and when.</summary>
public class LifeTests
{
    private static readonly VfioUserServerOptions Impatient = new() { NegotiationTimeout = TimeSpan.FromMilliseconds(50) };

    [Fact]
    public async Task Clients_are_served_in_turn_and_each_finds_the_device_opened_for_it()
    {
        await using var server = await RunningServer.StartAsync();
        for (var i = 0; i < 3; i++)
            server.AssertServesNext();
        using var last = server.Connect();
        Assert.Equal(["open", "close ClientLost", "open", "close ClientLost", "open", "close ClientLost", "open"], server.Device.Events);
        await server.StopAsync();
        Assert.Equal("close Close", server.Device.Events[^1]);
        last.AssertClosed();
    }

    [Fact]
    public async Task Every_client_finds_the_device_opened_with_the_servers_VF_token()
    {
        var token = Guid.NewGuid();
        await using var server = await RunningServer.StartAsync(new() { VfToken = token });
        server.AssertServesNext();
        Assert.Equal(token, server.Device.VfToken);
    }

    [Fact]
    public async Task A_second_client_waits_until_the_first_is_gone()
    {
        await using var server = await RunningServer.StartAsync();
        var first = server.Connect();
        using var second = TestClient.Connect(server.Path);
        second.Send(1, TestClient.VersionPayload(0, 0, null));
        Assert.False(second.Socket.WaitReadable(50));
        Assert.Equal(4, first.ReadRegion(0, 0, 4).Length);
        first.Dispose();
        Assert.Equal(1u, second.Receive().Flags);
    }

    [Fact]
    public async Task A_silent_client_does_not_keep_others_out()
    {
        await using var server = await RunningServer.StartAsync(Impatient);
        using var silent = TestClient.Connect(server.Path);
        using var slow = TestClient.Connect(server.Path);
        slow.Socket.Send(RawMessage.Build(0, 1, TestClient.VersionPayload(0, 0, TestClient.QemuCapabilities)).AsSpan(0, 100));
        server.AssertServesNext();
        silent.AssertClosed();
        slow.AssertClosed();
        Assert.Equal(2, server.Log.Entries.Count(entry => entry.Text.Contains("in time", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_negotiated_client_may_be_silent_as_long_as_it_likes()
    {
        await using var server = await RunningServer.StartAsync(Impatient);
        using var client = server.Connect();
        Assert.False(client.Socket.WaitReadable(200));
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task A_device_that_does_not_open_fails_the_negotiation_with_its_errno()
    {
        await using var server = await RunningServer.StartAsync();
        server.Device.OnOpen = _ => ValueTask.FromResult<VfioResult>(Errno.EAGAIN);
        using (var client = TestClient.Connect(server.Path))
        {
            client.Refuse(Errno.EAGAIN, 1, TestClient.VersionPayload(0, 0, null));
            client.AssertClosed();
        }

        server.Device.OnOpen = _ => throw new InvalidOperationException("broken");
        using (var client = TestClient.Connect(server.Path))
            client.Refuse(Errno.EIO, 1, TestClient.VersionPayload(0, 0, null));
        server.Device.OnOpen = null;
        server.AssertServesNext();
    }

    [Fact]
    public async Task What_the_device_throws_is_EIO_for_one_request_and_said_once()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        server.Device.OnRead = (_, _, _) => throw new InvalidOperationException("the plugin is broken");
        server.Device.OnReset = _ => throw new NotSupportedException("this too");
        for (var i = 0; i < 5; i++)
            client.Refuse(Errno.EIO, 9, Fields.Of(0ul, 0u, 4u));
        client.Refuse(Errno.EIO, 13, []);
        server.Device.OnReset = async _ =>
        {
            await Task.Yield();
            throw new NotSupportedException("and later");
        };
        client.Refuse(Errno.EIO, 13, []);
        var error = Assert.Single(server.Log.Entries, entry => entry.Level == LogLevel.Error);
        Assert.Equal("the plugin is broken", error.Exception!.Message);

        // One that says it moved more than it was given is not believed.
        server.Device.OnRead = (_, _, count) => count + 1;
        client.Refuse(Errno.EIO, 9, Fields.Of(0ul, 0u, 4u));
        server.Device.OnRead = (_, _, _) => -1;
        client.Refuse(Errno.EIO, 9, Fields.Of(0ul, 0u, 4u));
        server.Device.OnRead = null;
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task A_device_that_throws_at_its_close_is_opened_again()
    {
        await using var server = await RunningServer.StartAsync();
        var closing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Device.OnClose = _ =>
        {
            closing.SetResult();
            throw new InvalidOperationException("broken");
        };
        server.AssertServesNext();
        await closing.Task;
        server.Device.OnClose = null;
        using var refused = TestClient.Connect(server.Path);
        refused.Refuse(Errno.EIO, 1, TestClient.VersionPayload(0, 0, null));
        refused.AssertClosed();
        server.AssertServesNext();
    }

    [Fact]
    public async Task Resets_reach_the_device_with_their_cause_and_its_errno_comes_back()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        Assert.Empty(client.Succeed(13, []));
        Assert.Contains("reset DeviceReset", server.Device.Events);
        server.Device.OnReset = _ => ValueTask.FromResult<VfioResult>(Errno.ETIMEDOUT);
        client.Refuse(Errno.ETIMEDOUT, 13, []);
    }

    [Fact]
    public async Task Stopping_ends_a_reset_that_waits()
    {
        await using var server = await RunningServer.StartAsync();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Device.OnReset = async cancellationToken =>
        {
            started.SetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return VfioResult.Success;
        };
        using var client = server.Connect();
        client.Send(13, []);
        await started.Task;
        await server.StopAsync();
        Assert.Equal("close Close", server.Device.Events[^1]);
    }

    [Fact]
    public async Task An_answer_that_comes_too_late_is_a_header_and_no_data()
    {
        var time = new SteppedTime();
        await using var server = await RunningServer.StartAsync(new VfioUserServerOptions { TimeProvider = time });
        using var client = server.Connect();
        server.Device.OnRead = (_, _, count) =>
        {
            time.Advance(TimeSpan.FromSeconds(4.4));
            return count;
        };
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        server.Device.OnRead = (_, _, count) =>
        {
            time.Advance(TimeSpan.FromSeconds(4.6));
            return count;
        };
        client.Refuse(Errno.ETIMEDOUT, 9, Fields.Of(0ul, 0u, 4u));

        // A reply that is a header anyway comes as it is.
        server.Device.OnReset = _ =>
        {
            time.Advance(TimeSpan.FromSeconds(60));
            return ValueTask.FromResult(VfioResult.Success);
        };
        Assert.Empty(client.Succeed(13, []));
    }

    [Fact]
    public async Task A_server_may_end_after_one_client()
    {
        await using var server = await RunningServer.StartAsync(new VfioUserServerOptions { EndAfterOneClient = true });
        using (var refused = TestClient.Connect(server.Path))
            refused.Refuse(Errno.EINVAL, 1, TestClient.VersionPayload(9, 0, null));
        server.AssertServesNext();
        await server.Running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal("close ClientLost", server.Device.Events[^1]);
    }
}
