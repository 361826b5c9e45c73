using System.Buffers;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class SavingTests
{
    private readonly Migrating _it = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Trap", "39")]
    public async Task The_stream_of_PRE_COPY_goes_on_in_STOP_COPY()
    {
        _it.Variant.OnSave = (session, phase, token) => Streams.Saving(phase == PreCopy ? [1, 2] : [3, 4, 5])(session, phase, token);
        var stream = await _it.BeginAsync(PreCopy);
        Assert.True(stream.IsSaving);
        await stream.YieldsAsync([1, 2], Errno.ENOMSG);
        await stream.YieldsAsync([], Errno.ENOMSG);

        Assert.Null(await _it.GoAsync(PreCopyP2P));
        await stream.YieldsAsync([], Errno.ENOMSG);
        Assert.Null(await _it.GoAsync(StopCopy));
        await stream.YieldsAsync([3, 4, 5], Errno.None);
        await stream.YieldsAsync([], Errno.None);

        await _it.GoAsync(Stop);
        await stream.YieldsAsync([], Errno.ENODEV);
        Assert.Equal([PreCopy, StopCopy], _it.Variant.Saves);
    }

    [Fact]
    [Trait("Trap", "39")]
    public async Task Without_P2P_PRE_COPY_goes_to_STOP_COPY_with_the_same_stream()
    {
        var it = new Migrating(MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy);
        it.Variant.OnSave = Streams.Saving([7]);
        var stream = await it.BeginAsync(PreCopy);
        Assert.Null(await it.GoAsync(StopCopy));

        // Nobody has read yet: PRE_COPY's end does not show any more.
        await stream.YieldsAsync([7, 7], Errno.None);
    }

    [Fact]
    public async Task Who_reads_on_past_the_end_of_PRE_COPY_gets_more_if_there_is_more()
    {
        var left = 2;
        _it.Variant.OnSave = Streams.Saving([9]);
        _it.Variant.OnPrecopyInfo = () => new(0, (ulong)Math.Max(0, left));
        var stream = await _it.BeginAsync(PreCopy);
        await stream.YieldsAsync([9], Errno.ENOMSG);
        await stream.YieldsAsync([9], Errno.ENOMSG);
        left = 0;
        await stream.YieldsAsync([], Errno.ENOMSG);
        left = 1;
        await stream.YieldsAsync([9], Errno.ENOMSG);
        Assert.Equal(3, _it.Variant.Saves.Count);
    }

    [Fact]
    public async Task A_read_waits_for_bytes_and_for_the_end_of_a_save()
    {
        var write = new Signal();
        var end = new Signal();
        _it.Variant.OnSave = async (session, _, token) =>
        {
            await write.WaitAsync(token);
            await session.Saving!.WriteAsync(new byte[] { 1 }, token);
            await end.WaitAsync(token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(StopCopy);
        var first = stream.ReadAsync(new byte[8], Cancellation);
        Assert.False(first.IsCompleted);
        write.Set();
        Assert.Equal(1, (await first.Soon()).Value);
        var second = stream.ReadAsync(new byte[8], Cancellation);
        Assert.False(second.IsCompleted);
        end.Set();
        Assert.Equal(new VfioResult<int>(0), await second.Soon());
    }

    [Fact]
    public async Task A_reader_that_waits_in_PRE_COPY_goes_on_in_STOP_COPY()
    {
        var began = new Signal();
        var end = new Signal();
        _it.Variant.OnSave = async (session, phase, token) =>
        {
            began.Set();
            if (phase == PreCopy)
                await end.WaitAsync(token);
            else
                await session.Saving!.WriteAsync(new byte[] { 5 }, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(PreCopy);
        var read = stream.YieldsAsync([5], Errno.None);
        await began.WaitAsync(Cancellation);
        Assert.Null(await _it.GoAsync(StopCopy));
        Assert.Equal([PreCopy], _it.Variant.Saves);
        end.Set();
        await read.Soon();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reader_that_never_reads_holds_up_neither_a_change_of_state_nor_a_reset(bool isReset)
    {
        var full = new Signal();
        var saved = 0L;
        _it.Variant.OnSave = async (session, _, token) =>
        {
            var megabyte = new byte[1 << 20];
            while (true)
            {
                var flush = session.Saving!.WriteAsync(megabyte, CancellationToken.None);
                Interlocked.Add(ref saved, megabyte.Length);
                if (!flush.IsCompleted)
                    full.Set();
                await flush;
            }
        };
        var stream = await _it.BeginAsync(StopCopy);
        await full.WaitAsync(Cancellation);
        Assert.InRange(Interlocked.Read(ref saved), 1, 17 << 20);

        if (isReset)
            _it.Device.Reset();
        else
            await _it.GoAsync(Stop).Soon();
        Assert.Equal(isReset ? Running : Stop, await _it.StateAsync());
        await stream.YieldsAsync([], Errno.ENODEV);
        await _it.Service.Settled.Soon();
        Assert.Equal(0, _it.Pool.Outstanding);
    }

    [Theory]
    [InlineData(Errno.ENOMEM)]
    [InlineData(Errno.EIO)]
    public async Task A_save_that_fails_answers_reads_behind_what_it_wrote(Errno error)
    {
        _it.Variant.OnSave = async (session, _, token) =>
        {
            await session.Saving!.WriteAsync(new byte[] { 1 }, token);
            return error != Errno.EIO ? error : throw new InvalidOperationException("no");
        };
        var stream = await _it.BeginAsync(PreCopy);
        await stream.YieldsAsync([1], error);
        await stream.YieldsAsync([], error);

        // What follows is not saved: the stream has a hole.
        Assert.Null(await _it.GoAsync(StopCopy));
        await stream.YieldsAsync([], error);
        Assert.Equal([PreCopy], _it.Variant.Saves);
        await _it.GoAsync(Running);
    }

    [Fact]
    public async Task What_a_save_leaves_unflushed_is_saved()
    {
        _it.Variant.OnSave = (session, _, _) =>
        {
            session.Saving!.Write(new byte[] { 1, 2, 3 });
            return default;
        };
        await (await _it.BeginAsync(StopCopy)).YieldsAsync([1, 2, 3], Errno.None);
    }

    [Fact]
    public async Task A_save_that_returns_before_its_flush_has_costs_its_own_stream()
    {
        _it.Variant.OnSave = (session, _, _) =>
        {
            session.Saving!.Write(new byte[17 << 20]);
            _ = session.Saving!.FlushAsync(CancellationToken.None).AsTask();
            session.Saving!.Write(new byte[1]);
            return default;
        };
        var stream = await _it.BeginAsync(PreCopy);
        var (_, end) = await stream.ReadToEndAsync(1 << 20).Soon();
        Assert.Equal(Errno.EIO, end);
        await _it.GoAsync(Running).Soon();
        Assert.Equal(0, _it.Pool.Outstanding);
    }

    [Fact]
    public async Task A_save_that_completes_its_writer_does_not_keep_the_next_from_writing()
    {
        _it.Variant.OnSave = async (session, _, token) =>
        {
            await session.Saving!.WriteAsync(new byte[] { 1 }, token);
            await session.Saving.CompleteAsync();
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(PreCopy);
        await _it.GoAsync(StopCopy);
        await stream.YieldsAsync([1, 1], Errno.None);
    }

    [Fact]
    public async Task Leaving_cancels_the_save_waits_for_it_and_then_makes_the_step()
    {
        var began = new Signal();
        var cancelled = new Signal();
        var letGo = new Signal();
        _it.Variant.OnSave = async (_, _, token) =>
        {
            token.Register(cancelled.Set);
            began.Set();
            await letGo.WaitAsync(CancellationToken.None);
            return Errno.ECANCELED;
        };
        var stream = await _it.BeginAsync(StopCopy);
        var reading = stream.ReadAsync(new byte[1], Cancellation);
        await began.WaitAsync(Cancellation);
        _it.Variant.Arcs.Clear();
        var leaving = _it.GoAsync(Stop);
        await cancelled.WaitAsync(Cancellation);
        Assert.Equal(Errno.ENODEV, (await reading.Soon()).Error);
        Assert.Empty(_it.Variant.Arcs);
        letGo.Set();
        await leaving.Soon();
        Assert.Equal([new(StopCopy, Stop)], _it.Variant.Arcs);
    }

    [Fact]
    public async Task A_stream_that_is_given_up_cancels_the_save_and_changes_no_state()
    {
        var began = new Signal();
        var cancelled = new Signal();
        _it.Variant.OnSave = async (_, _, token) =>
        {
            token.Register(cancelled.Set);
            began.Set();
            await Task.Delay(Timeout.Infinite, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(PreCopy);
        await began.WaitAsync(Cancellation);
        await stream.DisposeAsync();
        await cancelled.WaitAsync(Cancellation);
        Assert.Equal(PreCopy, await _it.StateAsync());
        Assert.Null(await _it.GoAsync(StopCopy));
        await _it.GoAsync(Running);
        await _it.BeginAsync(PreCopy);
    }

    [Fact]
    public async Task The_wrong_direction_and_a_second_reader_are_refused()
    {
        var stream = await _it.BeginAsync(StopCopy);
        Assert.Equal(Errno.EBADF, (await stream.WriteAsync(new byte[1], Cancellation)).Error);
        var slow = new Migrating
        {
            Variant =
            {
                OnSave = async (_, _, token) =>
                {
                    await Task.Delay(Timeout.Infinite, token);
                    return default;
                },
            },
        };
        stream = await slow.BeginAsync(StopCopy);
        var first = stream.ReadAsync(new byte[1], Cancellation);
        Assert.Equal(Errno.EBUSY, (await stream.ReadAsync(new byte[1], Cancellation)).Error);
        await slow.GoAsync(Stop);
        Assert.Equal(Errno.ENODEV, (await first).Error);
    }

    [Fact]
    public async Task A_read_that_is_given_up_loses_nothing()
    {
        var write = new Signal();
        _it.Variant.OnSave = async (session, _, token) =>
        {
            await write.WaitAsync(token);
            await session.Saving!.WriteAsync(new byte[] { 1 }, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(StopCopy);
        using var giveUp = new CancellationTokenSource();
        var read = stream.ReadAsync(new byte[1], giveUp.Token);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.Soon());
        write.Set();
        await stream.YieldsAsync([1], Errno.None);
    }

    [Fact]
    public async Task A_step_that_fails_leaves_no_stream_and_may_be_tried_again()
    {
        _it.Variant.OnSave = Streams.Saving([1]);
        _it.Variant.OnStep = (arc, _, _) => new(arc.To == StopCopy ? Errno.EBUSY : VfioResult.Success);
        Assert.Equal(Errno.EBUSY, await _it.FailAsync(StopCopy));
        Assert.Equal(Stop, await _it.StateAsync());
        Assert.Empty(_it.Variant.Saves);
        _it.Variant.OnStep = (_, _, _) => default;
        await (await _it.BeginAsync(StopCopy)).YieldsAsync([1], Errno.None);
    }

    [Fact]
    [Trait("Trap", "47")]
    public async Task The_stream_holds_what_the_variant_wrote_and_nothing_else()
    {
        var state = Streams.Pattern(100_000);
        _it.Variant.OnSave = Streams.Saving(state);
        await (await _it.BeginAsync(StopCopy)).YieldsAsync(state, Errno.None);
    }

    [Fact]
    public async Task Reading_copies_without_allocating()
    {
        _it.Variant.OnSave = Streams.Saving(new byte[12 << 20]);
        var stream = await _it.BeginAsync(StopCopy);
        var buffer = new byte[4096];
        Assert.Equal(4096, (await stream.ReadAsync(buffer, Cancellation)).Value);
        await _it.Variant.Saved.Soon();

        // Far less than an object for each read: the pool that the segments go back to grows its own lists now and then.
        Assert.Equal(1000 * 4096, Read(1000));
        var before = GC.GetAllocatedBytesForCurrentThread();
        var sum = Read(2000);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16_000);
        Assert.Equal(2000 * 4096, sum);

        int Read(int times)
        {
            var sum = 0;
            for (var i = 0; i < times; i++)
            {
                var read = stream.ReadAsync(buffer, CancellationToken.None);
                sum += read.IsCompletedSuccessfully ? read.Result.Value : throw new InvalidOperationException("waits");
            }

            return sum;
        }
    }
}
