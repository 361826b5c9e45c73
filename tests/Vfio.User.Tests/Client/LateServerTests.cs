using Vfio.Core;
using Vfio.Tool.Migration;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>Devices that take longer than the server has for an answer: what its ETIMEDOUT means, the client knows.</summary>
public class LateServerTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(6);
    private readonly SteppedTime _time = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_device_whose_arcs_and_first_save_take_6_seconds_migrates()
    {
        await using var from = await StartAsync();
        await using var to = await StartAsync();
        from.Migration.Last = Pattern(700_001);
        var source = await DeviceTests.OpenAsync(from.Inner, new DmaSpace());
        var destination = await DeviceTests.OpenAsync(to.Inner, new DmaSpace());
        from.Migration.OnSet = to.Migration.OnSet = TakeLongAsync;
        var reads = 0;
        from.Migration.OnRead = cancellation => ++reads <= 3 ? WaitLongAsync(cancellation) : Task.CompletedTask;
        var (here, away) = LocalConnection.Create();
        await using var sourceEnd = here;
        await using var destinationEnd = away;
        var receiving = new MigrationDestination([new("a", destination.MigrationOps!)]).ReceiveAsync(away, Cancelled);
        await new MigrationSource([new("a", source.MigrationOps!)]).SendAsync(here, Cancelled);
        Assert.True((await receiving).IsConfirmed);
        Assert.True(from.Migration.Last.AsSpan().SequenceEqual(to.Migration.Written.ToArray()));
        Assert.Equal(MigrationState.Running, to.Migration.State);
        await source.CloseAsync(ResetCause.Close);
        await destination.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(70_000)]
    [InlineData(1 << 20)]
    public async Task Reads_that_come_to_nothing_in_the_middle_lose_no_byte(int room)
    {
        await using var server = await StartAsync();
        server.Migration.Last = Pattern(600_001);
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        await using var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!;
        var reads = 0;
        server.Migration.OnRead = cancellation => ++reads % 37 == 0 ? WaitLongAsync(cancellation) : Task.CompletedTask;
        var all = new List<byte>();
        var buffer = new byte[room];
        while (await stream.ReadAsync(buffer, Cancelled) is { Value: > 0 } read)
            all.AddRange(buffer.AsSpan(0, read.Value));
        Assert.True(server.Migration.Last.AsSpan().SequenceEqual(all.ToArray()), $"{all.Count} bytes");
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_device_that_saves_nothing_is_read_by_one_call_at_a_time_and_runs_on_when_it_is_told_to()
    {
        await using var server = await StartAsync();
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!;
        using var asked = new SemaphoreSlim(0);
        using var gate = new SemaphoreSlim(0);
        var reads = 0;
        server.Migration.OnRead = cancellation =>
        {
            reads++;
            asked.Release();
            return gate.WaitAsync(cancellation);
        };
        using var giveUp = new CancellationTokenSource();
        var reading = stream.ReadAsync(new byte[8 << 20], giveUp.Token).AsTask();
        await asked.WaitAsync(Cancelled);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        var setting = device.MigrationOps!.SetStateAsync(MigrationState.Running, Cancelled).AsTask();
        gate.Release();
        Assert.True((await setting).IsSuccess);
        Assert.Equal(1, reads);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_change_of_state_that_fails_late_fails()
    {
        await using var server = await StartAsync();
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        server.Migration.OnSet = async (state, cancellation) =>
        {
            await TakeLongAsync(state, cancellation);
            return Errno.ETIMEDOUT;
        };
        Assert.Equal(Errno.ETIMEDOUT, (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).Error);
        server.Migration.OnSet = null;
        Assert.NotNull((await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task An_answer_that_the_client_gave_up_itself_ends_the_stream()
    {
        await using var server = await MigratingServer.StartAsync(new() { ReplyDeadline = Timeout.InfiniteTimeSpan });
        server.Migration.Last = Pattern(1000);
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace(), new() { CallTimeout = TimeSpan.FromSeconds(1) });
        await using var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!;
        using var gate = new SemaphoreSlim(0);
        server.Migration.OnRead = gate.WaitAsync;
        Assert.Equal(Errno.ETIMEDOUT, (await stream.ReadAsync(new byte[100], Cancelled)).Error);
        gate.Release(1_000_000);
        Assert.Equal(Errno.ETIMEDOUT, (await stream.ReadAsync(new byte[100], Cancelled)).Error);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_range_that_the_server_gives_back_late_is_given_back()
    {
        await using var server = await StartAsync();
        var dma = new DmaSpace();
        Assert.True(dma.Map(FileMemory.Create(0x20000, 0x1000)).IsSuccess);
        var device = await DeviceTests.OpenAsync(server.Inner, dma);
        var there = server.Inner.Device.Dma;
        Assert.True(there.TryAcquire(0x20000, 0x1000, DmaAccess.Read, out var segment));
        var unmapping = Task.Run(() => dma.Unmap(0x20000, 0x20fff), Cancelled);
        SpinWait.SpinUntil(() =>
        {
            var held = there.TryAcquire(0x20000, 0x1000, DmaAccess.Read, out var again);
            again.Dispose();
            return !held;
        });
        _time.Advance(Long);
        segment.Dispose();
        Assert.Equal(0x1000ul, (await unmapping).Value);
        Assert.False(device.Client!.Completion.IsCompleted);
        await device.CloseAsync(ResetCause.Close);
    }

    private static byte[] Pattern(int size) => [.. Enumerable.Range(0, size).Select(static i => (byte)(i * 7 + (i >> 8)))];

    private Task<MigratingServer> StartAsync() => StartAsync(new() { TimeProvider = _time });

    private static async Task<MigratingServer> StartAsync(VfioUserServerOptions options)
    {
        var server = await MigratingServer.StartAsync(options);
        server.Migration.Capabilities = MigrationCapabilities.StopCopy;
        return server;
    }

    private ValueTask<VfioResult> TakeLongAsync(MigrationState state, CancellationToken cancellation)
    {
        _time.Advance(Long);
        return new(VfioResult.Success);
    }

    private Task WaitLongAsync(CancellationToken cancellation)
    {
        _time.Advance(Long);
        return Task.Delay(Timeout.Infinite, cancellation);
    }
}
