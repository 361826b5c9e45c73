using System.Buffers;
using System.Buffers.Binary;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class ResumingTests
{
    private readonly Migrating _it = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wrong_byte_is_refused_by_the_write_that_brings_it(bool advancesBeforeItJudges)
    {
        _it.Variant.OnLoad = async (session, token) =>
        {
            while (true)
            {
                var read = await session.Resuming!.ReadAsync(token);
                var isWrong = Array.Exists(read.Buffer.ToArray(), b => b == 0xFF);
                if (isWrong && !advancesBeforeItJudges)
                    return Errno.EBADMSG;
                session.Resuming.AdvanceTo(read.Buffer.End);

                // It says that it is done with the bytes, and only then judges them.
                await Task.Yield();
                if (isWrong)
                    return Errno.EBADMSG;
                if (read.IsCompleted)
                    return VfioResult.Success;
            }
        };
        for (var i = 0; i < 200; i++)
        {
            var stream = await _it.BeginAsync(Resuming);
            for (var n = 0; n < i % 5; n++)
                Assert.Equal(Errno.None, (await stream.WriteAsync(new byte[] { 1, 2, 3 }, Cancellation).Soon()).Error);
            Assert.Equal(Errno.EBADMSG, (await stream.WriteAsync(new byte[] { 4, 0xFF }, Cancellation).Soon()).Error);
            Assert.Equal(Errno.EBADMSG, (await stream.WriteAsync(new byte[] { 1 }, Cancellation).Soon()).Error);

            // It sticks: the device stays in RESUMING, until it is reset.
            Assert.Equal(Errno.EBADMSG, await _it.FailAsync(Stop));
            Assert.Equal(Errno.EBADMSG, await _it.FailAsync(Running));
            Assert.Equal(Resuming, await _it.StateAsync());
            _it.Device.Reset();
            Assert.Equal(Running, await _it.StateAsync());
            Assert.Equal(Errno.ENODEV, (await stream.WriteAsync(new byte[] { 1 }, Cancellation)).Error);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(4096)]
    [Trait("Trap", "40")]
    public async Task A_record_loads_as_it_arrives_wherever_the_writes_are_split(int atOnce)
    {
        var records = new List<byte[]>();
        _it.Variant.OnLoad = (session, token) => LoadRecordsAsync(session, records, token);
        byte[][] sent = [Streams.Pattern(1), Streams.Pattern(0), Streams.Pattern(1000), Streams.Pattern(9)];
        var bytes = sent.SelectMany(r => (byte[])[.. BitConverter.GetBytes(r.Length), .. r]).ToArray();
        var stream = await _it.BeginAsync(Resuming);
        foreach (var part in bytes.Chunk(atOnce))
            Assert.Equal(Errno.None, (await stream.WriteAsync(part, Cancellation).Soon()).Error);

        // Loaded inside the writes: the arc to STOP finds nothing left to do.
        Assert.Equal(sent, records);
        await _it.GoAsync(Stop);
    }

    [Fact]
    [Trait("Trap", "40")]
    public async Task A_stream_that_ends_inside_a_record_is_refused_by_the_arc_to_STOP()
    {
        var records = new List<byte[]>();
        _it.Variant.OnLoad = (session, token) => LoadRecordsAsync(session, records, token);
        var stream = await _it.BeginAsync(Resuming);
        Assert.Equal(Errno.None, (await stream.WriteAsync(new byte[] { 9, 0 }, Cancellation).Soon()).Error);
        Assert.Equal(Errno.EINVAL, await _it.FailAsync(Stop));
        Assert.Equal(Resuming, await _it.StateAsync());
        Assert.Empty(records);
    }

    [Fact]
    [Trait("Trap", "40")]
    public async Task A_device_that_loads_all_at_once_loads_in_the_arc_to_STOP()
    {
        var loads = 0;
        byte[] all = [];
        _it.Variant.OnLoad = async (session, token) =>
        {
            all = await Streams.TakeAllAsync(session, token);
            return VfioResult.Success;
        };
        _it.Variant.OnStep = (arc, session, _) =>
        {
            if (arc.From != Resuming)
                return default;
            Assert.NotNull(session?.Resuming);
            loads++;
            return new(all is [1, 2] ? VfioResult.Success : Errno.EINVAL);
        };
        var stream = await _it.BeginAsync(Resuming);
        await stream.WriteAsync(new byte[] { 1 }, Cancellation);
        Assert.Equal(Errno.EINVAL, await _it.FailAsync(Stop));
        Assert.Equal(Resuming, await _it.StateAsync());
        Assert.Equal(1, loads);
        Assert.Equal(Errno.EINVAL, (await stream.WriteAsync(new byte[] { 2 }, Cancellation)).Error);

        _it.Device.Reset();
        stream = await _it.BeginAsync(Resuming);
        await stream.WriteAsync(new byte[] { 1, 2 }, Cancellation);
        await _it.GoAsync(Running);
        Assert.Equal(2, loads);
        Assert.Equal(Errno.ENODEV, (await stream.WriteAsync(new byte[] { 2 }, Cancellation)).Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Bytes_behind_what_the_device_takes_are_refused(bool inTheSameWrite)
    {
        var loaded = new Signal();
        _it.Variant.OnLoad = async (session, token) =>
        {
            var read = await session.Resuming!.ReadAtLeastAsync(2, token);
            session.Resuming.AdvanceTo(read.Buffer.GetPosition(2));
            loaded.Set();
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(Resuming);
        if (inTheSameWrite)
        {
            Assert.Equal(Errno.EINVAL, (await stream.WriteAsync(new byte[] { 1, 2, 3 }, Cancellation).Soon()).Error);
        }
        else
        {
            Assert.Equal(Errno.None, (await stream.WriteAsync(new byte[] { 1, 2 }, Cancellation).Soon()).Error);
            await loaded.WaitAsync(Cancellation);
            Assert.Equal(Errno.EINVAL, (await stream.WriteAsync(new byte[] { 3 }, Cancellation).Soon()).Error);
        }

        Assert.Equal(Errno.EINVAL, await _it.FailAsync(Stop));
    }

    [Fact]
    public async Task The_end_of_a_session_is_not_the_end_of_the_data()
    {
        var waits = new Signal();
        var answer = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _it.Variant.OnLoad = async (session, _) =>
        {
            try
            {
                // A variant that does not look at its token.
                var all = await Streams.TakeAllAsync(session, CancellationToken.None);
                answer.SetResult(true);
                return VfioResult.Success;
            }
            catch (OperationCanceledException)
            {
                answer.SetResult(false);
                throw;
            }
        };
        var stream = await _it.BeginAsync(Resuming);
        Assert.Equal(Errno.None, (await stream.WriteAsync(new byte[100], Cancellation).Soon()).Error);
        waits.Set();
        _it.Device.Reset();
        Assert.False(await answer.Task.Soon());
        await _it.Service.Settled.Soon();
        Assert.Equal(0, _it.Pool.Outstanding);
    }

    [Fact]
    public async Task A_reset_wakes_a_write_that_waits_for_the_device()
    {
        var began = new Signal();
        _it.Variant.OnLoad = async (_, token) =>
        {
            began.Set();
            await Task.Delay(Timeout.Infinite, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(Resuming);
        var write = stream.WriteAsync(new byte[3 << 20], Cancellation);
        await began.WaitAsync(Cancellation);
        Assert.False(write.IsCompleted);
        _it.Device.Reset();
        Assert.Equal(Errno.ENODEV, (await write.Soon()).Error);
        await _it.Service.Settled.Soon();
        Assert.Equal(0, _it.Pool.Outstanding);
    }

    [Fact]
    public async Task A_session_that_ends_during_a_write_is_not_the_end_of_the_data()
    {
        var looked = new Signal();
        var goOn = new Signal();
        var answer = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _it.Variant.OnLoad = async (session, _) =>
        {
            var read = await session.Resuming!.ReadAsync(CancellationToken.None);
            looked.Set();
            await goOn.WaitAsync(CancellationToken.None);
            session.Resuming!.AdvanceTo(read.Buffer.End);
            try
            {
                answer.SetResult((await session.Resuming!.ReadAsync(CancellationToken.None)).IsCompleted);
            }
            catch (OperationCanceledException)
            {
                answer.SetResult(false);
                throw;
            }

            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(Resuming);
        var write = stream.WriteAsync(new byte[100], Cancellation);
        await looked.WaitAsync(Cancellation);
        _it.Device.Reset();
        Assert.Equal(Errno.ENODEV, (await write.Soon()).Error);
        goOn.Set();
        Assert.False(await answer.Task.Soon());
    }

    [Fact]
    public async Task The_arc_to_STOP_waits_for_a_write_that_is_under_way()
    {
        var began = new Signal();
        var goOn = new Signal();
        byte[] all = [];
        _it.Variant.OnLoad = async (session, token) =>
        {
            began.Set();
            await goOn.WaitAsync(token);
            all = await Streams.TakeAllAsync(session, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(Resuming);
        var state = Streams.Pattern(5 << 20);
        var write = stream.WriteAsync(state, Cancellation);
        await began.WaitAsync(Cancellation);
        var stop = _it.GoAsync(Stop);
        Assert.False(stop.IsCompleted);
        goOn.Set();
        Assert.Equal(Errno.None, (await write.Soon()).Error);
        await stop.Soon();
        Assert.True(state.AsSpan().SequenceEqual(all));
    }

    [Fact]
    public async Task A_stream_that_is_closed_before_the_arc_to_STOP_has_been_written_all_the_same()
    {
        byte[] all = [];
        _it.Variant.OnLoad = async (session, token) =>
        {
            all = await Streams.TakeAllAsync(session, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(Resuming);
        await stream.WriteAsync(new byte[] { 1, 2, 3 }, Cancellation);
        await stream.DisposeAsync();
        await _it.GoAsync(Running);
        Assert.Equal([1, 2, 3], all);
    }

    [Fact]
    public async Task A_load_that_throws_is_EIO_and_a_write_that_is_given_up_spoils_the_stream()
    {
        _it.Variant.OnLoad = (_, _) => throw new InvalidOperationException("no");
        var stream = await _it.BeginAsync(Resuming);
        Assert.Equal(Errno.EIO, (await stream.WriteAsync(new byte[1], Cancellation).Soon()).Error);
        Assert.Equal(Errno.EIO, await _it.FailAsync(Stop));
        _it.Device.Reset();

        _it.Variant.OnLoad = async (session, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return VfioResult.Success;
        };
        stream = await _it.BeginAsync(Resuming);
        using var giveUp = new CancellationTokenSource();
        var write = stream.WriteAsync(new byte[1], giveUp.Token);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write.Soon());
        Assert.Equal(Errno.ECANCELED, (await stream.WriteAsync(new byte[1], Cancellation)).Error);
    }

    [Fact]
    public async Task A_load_that_reads_twice_at_once_costs_its_own_stream()
    {
        _it.Variant.OnLoad = async (session, token) =>
        {
            var first = session.Resuming!.ReadAsync(token).AsTask();
            await session.Resuming.ReadAsync(token);
            await first;
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(Resuming);
        Assert.Equal(Errno.EIO, (await stream.WriteAsync(new byte[5], Cancellation).Soon()).Error);
        Assert.Equal(Errno.EIO, await _it.FailAsync(Stop));
    }

    [Fact]
    public async Task The_wrong_direction_and_questions_of_PRE_COPY_are_refused()
    {
        var stream = await _it.BeginAsync(Resuming);
        Assert.False(stream.IsSaving);
        Assert.Equal(Errno.EBADF, (await stream.ReadAsync(new byte[1], Cancellation)).Error);
        Assert.Equal(Errno.ENOTTY, (await stream.GetPrecopyInfoAsync(Cancellation)).Error);
        Assert.Equal(Errno.None, (await stream.WriteAsync(ReadOnlyMemory<byte>.Empty, Cancellation)).Error);
    }

    [Fact]
    public async Task An_empty_stream_is_the_devices_to_judge()
    {
        await _it.BeginAsync(Resuming);
        await _it.GoAsync(Stop);
        _it.Variant.OnLoad = async (session, token) => (await Streams.TakeAllAsync(session, token)).Length == 0 ? Errno.EINVAL : default;
        await _it.BeginAsync(Resuming);
        Assert.Equal(Errno.EINVAL, await _it.FailAsync(Stop));
    }

    private static async ValueTask<VfioResult> LoadRecordsAsync(
        MigrationSession session, List<byte[]> records, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await session.Resuming!.ReadAsync(cancellationToken);
            var left = read.Buffer;
            while (left.Length >= 4)
            {
                var length = BinaryPrimitives.ReadInt32LittleEndian(left.Slice(0, 4).ToArray());
                if (left.Length < 4 + length)
                    break;
                records.Add(left.Slice(4, length).ToArray());
                left = left.Slice(4 + length);
            }

            session.Resuming.AdvanceTo(left.Start, left.End);
            if (read.IsCompleted)
                return left.IsEmpty ? VfioResult.Success : Errno.EINVAL;
        }
    }
}
