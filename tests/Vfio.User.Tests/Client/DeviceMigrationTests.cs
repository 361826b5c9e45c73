using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

public class DeviceMigrationTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(64 << 10)]
    [InlineData(600_000)]
    [InlineData(4 << 20)]
    public async Task What_the_device_saves_is_read_before_and_after_it_is_stopped(int room)
    {
        var most = room == 1 ? 500 : 700_001;
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Initial = Pattern(most, 3);
        server.Migration.Last = Pattern(most + 5, 7);
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        var migration = device.MigrationOps!;
        Assert.Equal(server.Migration.Capabilities, migration.Capabilities);
        Assert.Equal(0x1234567890ul, (await migration.GetDataSizeAsync(Cancelled)).Value);
        await using var stream = (await migration.SetStateAsync(MigrationState.PreCopy, Cancelled)).Value!;
        Assert.True(stream.IsSaving);
        Assert.Equal(new PrecopyInfo(0x11, 0x22), (await stream.GetPrecopyInfoAsync(Cancelled)).Value);
        Assert.True((await migration.EnablePrecopyInfoV2Async(Cancelled)).IsSuccess);
        Assert.Equal(new PrecopyInfo(0x11, 0x22, true), (await stream.GetPrecopyInfoAsync(Cancelled)).Value);
        Assert.Equal(server.Migration.Initial, await ReadAllAsync(stream, room, Errno.ENOMSG));
        Assert.Null((await migration.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value);
        Assert.Equal(Errno.EINVAL, (await stream.GetPrecopyInfoAsync(Cancelled)).Error);
        Assert.Equal(server.Migration.Last, await ReadAllAsync(stream, room, Errno.None));
        Assert.Equal(Errno.EBADF, (await stream.WriteAsync(new byte[1], Cancelled)).Error);
        Assert.True((await migration.SetStateAsync(MigrationState.Stop, Cancelled)).IsSuccess);
        Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[1], Cancelled)).Error);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_read_that_is_given_up_loses_no_byte()
    {
        await using var server = await MigratingServer.StartAsync(new VfioUserServerOptions { ReplyDeadline = Timeout.InfiniteTimeSpan });
        server.Migration.Last = Pattern(2_000_000, 11);
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        await using var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!;
        var all = new List<byte>();
        var buffer = new byte[300_000];
        var reads = 0;
        for (var round = 0; ; round++)
        {
            // The device gives some, and then nothing until the read has been given up.
            var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var stopAt = reads + 50_000 + (round * 7919);
            server.Migration.OnRead = async token =>
            {
                if (Interlocked.Increment(ref reads) != stopAt)
                    return;
                asked.SetResult();
                await gate.Task.WaitAsync(token);
            };
            using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
            var read = stream.ReadAsync(buffer, giveUp.Token).AsTask();
            if (await Task.WhenAny(read, asked.Task.WaitAsync(Cancelled)) != read)
            {
                await giveUp.CancelAsync();
                var given = Task.WhenAny(read, Task.Delay(Timeout.Infinite, Cancelled));
                gate.SetResult();
                await given;
            }
            else
            {
                gate.SetResult();
            }

            if (read.IsCanceled)
            {
                buffer.AsSpan().Fill(0xee);
                continue;
            }

            var count = (await read).Value;
            if (count == 0)
                break;
            all.AddRange(buffer.AsSpan(0, count));
        }

        Assert.True(server.Migration.Last.AsSpan().SequenceEqual(all.ToArray()), $"{all.Count} bytes");
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_device_is_closed_while_its_data_is_on_the_way_and_while_it_is_waited_for()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Last = Pattern(1_000_000, 3);
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!;
        Assert.Equal(70_000, (await stream.ReadAsync(new byte[70_000], Cancelled)).Value);
        await device.CloseAsync(ResetCause.Close).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Cancelled);

        using var asked = new SemaphoreSlim(0);
        server.Migration.State = MigrationState.Running;
        server.Migration.OnRead = token =>
        {
            asked.Release();
            return Task.Delay(Timeout.Infinite, token);
        };
        device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!;
        var waiting = stream.ReadAsync(new byte[70_000], Cancelled).AsTask();
        await asked.WaitAsync(Cancelled);
        await device.CloseAsync(ResetCause.Close).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Cancelled);
        Assert.False((await waiting).IsSuccess);
    }

    [Fact]
    public async Task What_is_written_reaches_the_device_in_order_and_its_refusal_comes_back()
    {
        await using var server = await MigratingServer.StartAsync();
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace(), new VfioUserClientOptions { MaxWriteSize = 1000 });
        var migration = device.MigrationOps!;
        await using var stream = (await migration.SetStateAsync(MigrationState.Resuming, Cancelled)).Value!;
        Assert.False(stream.IsSaving);
        var data = Pattern(123_456, 5);
        Assert.True((await stream.WriteAsync(data, Cancelled)).IsSuccess);
        Assert.Equal(data, server.Migration.Written);
        Assert.Equal(Errno.EBADF, (await stream.ReadAsync(new byte[1], Cancelled)).Error);
        server.Migration.OnWrite = static _ => Errno.EBADMSG;
        Assert.Equal(Errno.EBADMSG, (await stream.WriteAsync(data, Cancelled)).Error);
        Assert.True((await migration.SetStateAsync(MigrationState.Stop, Cancelled)).IsSuccess);
        Assert.Equal(Errno.ENODEV, (await stream.WriteAsync(data, Cancelled)).Error);
        await device.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_reset_ends_the_stream_whoever_resets()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Last = Pattern(100_000, 3);
        server.Inner.Device.OnReset = _ =>
        {
            server.Migration.Reset();
            return new(VfioResult.Success);
        };
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        var migration = device.MigrationOps!;
        await using (var stream = (await migration.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!)
        {
            Assert.Equal(10, (await stream.ReadAsync(new byte[10], Cancelled)).Value);
            Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancelled)).IsSuccess);
            Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[10], Cancelled)).Error);
        }

        await using var next = (await migration.SetStateAsync(MigrationState.StopCopy, Cancelled)).Value!;
        server.Migration.Reset();
        Assert.Equal(Errno.ENODEV, (await next.ReadAsync(new byte[10], Cancelled)).Error);
        await device.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Answers_may_be_padded_or_not(bool padded)
    {
        await using var server = await ScriptedServer.ConnectAsync();
        await using var stream = new Vfio.User.Client.Migration.WireDataStream(server.Client, MigrationState.StopCopy);
        var buffer = new byte[64];
        var read = stream.ReadAsync(buffer, Cancelled).AsTask();
        var request = server.Receive();
        Assert.Equal(Fields.Of(72u, 64u), request.Payload);
        server.Reply(request, [.. Fields.Of(13u, 5u), 1, 2, 3, 4, 5, .. new byte[padded ? 59 : 0]]);
        Assert.Equal(5, (await read).Value);
        Assert.Equal([1, 2, 3, 4, 5], buffer[..5]);
    }

    [Theory]
    [InlineData(65u, 64)]
    [InlineData(64u, 63)]
    [InlineData(0xffffffffu, 0)]
    public async Task An_answer_that_counts_more_than_it_has_ends_the_connection(uint count, int bytes)
    {
        await using var server = await ScriptedServer.ConnectAsync();
        await using var stream = new Vfio.User.Client.Migration.WireDataStream(server.Client, MigrationState.StopCopy);
        var read = stream.ReadAsync(new byte[64], Cancelled).AsTask();
        server.Reply(server.Receive(), [.. Fields.Of(8u, count), .. new byte[bytes]]);
        Assert.Equal(Errno.EPROTO, (await read).Error);
        await Assert.ThrowsAsync<VfioException>(() => server.Client.Completion);
    }

    [Fact]
    public async Task Reports_of_the_log_are_cut_to_what_one_answer_holds_and_bits_are_only_set()
    {
        await using var server = await MigratingServer.StartAsync();
        var device = await DeviceTests.OpenAsync(server.Inner, new DmaSpace());
        var log = device.DmaLogging!;
        var pageSize = 0x10000ul;
        Assert.True(log.Start([new IovaRange(0, 1ul << 40), new IovaRange(1ul << 41, 4096)], ref pageSize).IsSuccess);
        Assert.Equal(4096ul, pageSize);
        Assert.Equal([new IovaRange(0, 1ul << 40), new IovaRange(1ul << 41, 4096)], server.Log.Ranges!);
        const ulong Pages = 10_000_000;
        server.Log.Write(0x1000);
        server.Log.Write((Pages - 1) * 4096);
        server.Log.Write(Pages * 4096);
        var bitmap = new ulong[(Pages + 63) / 64];
        bitmap[0] = 0x100;
        Assert.True(log.Report(0, Pages * 4096, 4096, bitmap).IsSuccess);
        Assert.Equal((0x102ul, 1ul << (int)((Pages - 1) % 64)), (bitmap[0], bitmap[^1]));
        Assert.Equal(2, server.Log.Reports.Count);
        Assert.Equal(Errno.EINVAL, log.Report(0, Pages * 4096, 4096, bitmap.AsSpan(1)).Error);
        Assert.True(log.Stop().IsSuccess);
        Assert.Equal(Errno.EINVAL, log.Report(0, 4096, 4096, bitmap).Error);
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(Errno.ENODEV, log.Stop().Error);
    }

    [Fact]
    public async Task A_device_that_does_not_migrate_has_no_migration_and_no_log()
    {
        await using var server = await RunningServer.StartAsync();
        var device = await DeviceTests.OpenAsync(server, new DmaSpace());
        Assert.Null(device.MigrationOps);
        Assert.Null(device.DmaLogging);
        await device.CloseAsync(ResetCause.Close);
    }

    internal static byte[] Pattern(int length, int factor) => [.. Enumerable.Range(0, length).Select(at => (byte)((at * factor) + (at >> 8)))];

    private static async Task<byte[]> ReadAllAsync(MigrationDataStream stream, int room, Errno end)
    {
        var all = new List<byte>();
        var buffer = new byte[room];
        while (true)
        {
            var read = await stream.ReadAsync(buffer, Cancelled);
            if (!read.IsSuccess || read.Value == 0)
            {
                Assert.Equal(end, read.Error);
                return [.. all];
            }

            all.AddRange(buffer.AsSpan(0, read.Value));
        }
    }
}
