using System.Diagnostics;
using Vfio.User.Client.Devices;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>A server that stops in the middle of something: whoever has set a time gets out of it.</summary>
public class TimeLimitTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);
    private static readonly VfioUserClientOptions Limited = new() { CallTimeout = TimeSpan.FromMilliseconds(300) };

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_that_the_server_does_not_take_times_out_and_so_do_those_behind_it()
    {
        await using var server = await ScriptedServer.ConnectAsync(options: Limited);
        var calls = Enumerable.Range(0, 3).Select(_ => Run(() => server.Client.Call(10, new byte[1 << 20], new byte[16]).Error)).ToArray();
        var errors = await Task.WhenAll(calls).WaitAsync(Bound, Cancelled);
        Assert.Contains(Errno.ETIMEDOUT, errors);
        Assert.All(errors, error => Assert.True(error is Errno.ETIMEDOUT or Errno.ECONNRESET or Errno.ENOTCONN, $"{error}"));

        // Half a message is on the wire: nothing can follow it.
        await Assert.ThrowsAsync<VfioException>(() => server.Client.Completion.WaitAsync(Bound, Cancelled));
    }

    [Fact]
    public async Task The_time_counts_from_the_beginning_of_a_call_and_not_from_its_sending()
    {
        var options = Limited with { CallTimeout = TimeSpan.FromSeconds(2) };
        await using var server = await ScriptedServer.ConnectAsync(options: options);
        var watch = Stopwatch.StartNew();
        Assert.Equal(Errno.ETIMEDOUT, await Run(() => server.Client.Call(7, Fields.Of(16u, 0u, 0u, 0u), new byte[16]).Error).WaitAsync(Bound, Cancelled));
        Assert.InRange(watch.Elapsed.TotalSeconds, 1.9, 20);
    }

    [Fact]
    public async Task A_reply_that_stops_within_its_data_ends_the_connection_when_its_time_is_over()
    {
        await using var server = await ScriptedServer.ConnectAsync(options: Limited);
        var reading = Run(() => RegionAccess.Read(server.Client, 0, 0, new byte[4096]).Error);
        var request = server.Receive();
        var reply = RawMessage.Build(request.Id, 9, [.. request.Payload, .. new byte[4096]], 1);
        server.Socket.Send(reply.AsSpan(0, 1000));
        Assert.True(await reading.WaitAsync(Bound, Cancelled) is Errno.ETIMEDOUT or Errno.ECONNRESET);
        var reason = await Assert.ThrowsAsync<VfioException>(() => server.Client.Completion.WaitAsync(Bound, Cancelled));
        Assert.Equal(Errno.ETIMEDOUT, reason.Error);
    }

    [Fact]
    public async Task A_server_that_does_not_say_whether_it_has_taken_memory_is_given_up()
    {
        await using var device = new ScriptedDevice((request, _) => request.Command == 2, Limited);
        var dma = new DmaSpace();
        Assert.Equal(Errno.None, (await device.OpenAsync(dma, Cancelled)).Error);
        using var memory = new Unmapped(dma);
        var mapped = await Run(() => dma.Map(LocalMemory.Allocate(0, 0x1000)).Error).WaitAsync(Bound, Cancelled);
        Assert.NotEqual(Errno.None, mapped);
        var reason = await Assert.ThrowsAsync<VfioException>(() => device.Device.Client!.Completion.WaitAsync(Bound, Cancelled));
        Assert.Equal(Errno.EPROTO, reason.Error);
        Assert.Equal(0, dma.Count);
    }

    [Fact]
    public async Task Opening_can_be_given_up_while_the_server_is_told_of_the_memory()
    {
        using var giveUp = new CancellationTokenSource();
        var told = new TaskCompletionSource();
        await using var device = new ScriptedDevice((request, _) =>
        {
            if (request.Command == 2)
                told.TrySetResult();
            return request.Command == 2;
        });
        var dma = new DmaSpace();
        using var memory = new Unmapped(dma);
        Assert.True(dma.Map(LocalMemory.Allocate(0, 0x1000)).IsSuccess);
        var opening = device.OpenAsync(dma, giveUp.Token).AsTask();
        await told.Task.WaitAsync(Bound, Cancelled);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening.WaitAsync(Bound, CancellationToken.None));
        Assert.Null(device.Device.Client);
    }

    private static Task<Errno> Run(Func<Errno> call)
        => Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private sealed class Unmapped(DmaSpace dma) : IDisposable
    {
        public void Dispose() => dma.UnmapAll();
    }
}
