using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class ResetTests
{
    private readonly Migrating _it = new();
    private readonly Signal _inStep = new();
    private readonly Signal _goOn = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<ResetCause> Causes => [.. Enum.GetValues<ResetCause>()];

    [Theory]
    [MemberData(nameof(Causes))]
    public async Task Any_reset_leaves_RUNNING_and_a_dead_stream(ResetCause cause)
    {
        foreach (var state in new[] { Stop, StopCopy, Resuming, RunningP2P, PreCopy, PreCopyP2P })
        {
            var stream = await _it.GoAsync(state);
            var resets = _it.Variant.Resets;
            _it.Device.Reset(cause);
            Assert.Equal(Running, await _it.StateAsync());
            Assert.Equal(resets + 1, _it.Variant.Resets);
            if (stream is { IsSaving: true })
                Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[1], Cancellation)).Error);
            else if (stream is not null)
                Assert.Equal(Errno.ENODEV, (await stream.WriteAsync(new byte[1], Cancellation)).Error);
        }
    }

    [Theory]
    [InlineData(PreCopyP2P, StopCopy)]
    [InlineData(PreCopy, PreCopyP2P)]
    [Trait("Trap", "32")]
    public async Task A_reset_during_a_step_waits_for_nothing_and_is_not_lost(MigrationState from, MigrationState to)
    {
        var stream = await _it.BeginAsync(from);
        Assert.Equal(Errno.ENOMSG, (await stream.ReadAsync(new byte[1], Cancellation)).Error);

        // This one waits for the state, which the step has.
        _it.Variant.OnPrecopyInfo = () => new(0, 1);
        MigrationSession? session = null;
        BlockStep(to, s => session = s);
        var change = _it.Service.SetStateAsync(to, Cancellation).Soon();
        await _inStep.WaitAsync(Cancellation);
        var read = stream.ReadAsync(new byte[1], Cancellation);
        var state = _it.Service.GetStateAsync(Cancellation);
        Assert.False(session!.Ended.IsCancellationRequested);
        Assert.False(read.IsCompleted);

        _it.Device.Reset();
        Assert.True(session.Ended.IsCancellationRequested);
        Assert.Equal(Errno.ENODEV, (await read.Soon()).Error);
        Assert.Equal(Errno.ENODEV, (await stream.GetPrecopyInfoAsync(Cancellation)).Error);
        Assert.Equal(0, _it.Variant.Resets);
        Assert.False(change.IsCompleted);
        Assert.False(state.IsCompleted);

        _goOn.Set();
        Assert.Equal(Errno.None, (await change).Error);
        Assert.Equal(Running, (await state.Soon()).Value);
        Assert.Equal(1, _it.Variant.Resets);
        await _it.GoAsync(Running);
    }

    [Fact]
    public async Task A_reset_during_the_last_arc_leaves_a_stream_that_is_over()
    {
        BlockStep(StopCopy);
        var change = _it.Service.SetStateAsync(StopCopy, Cancellation).Soon();
        await _inStep.WaitAsync(Cancellation);
        _it.Device.Reset();
        _goOn.Set();
        var stream = (await change).Value;
        Assert.NotNull(stream);
        Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[1], Cancellation)).Error);
        Assert.Equal(Running, await _it.StateAsync());
        Assert.Empty(_it.Variant.Saves);
    }

    [Theory]
    [InlineData(StopCopy, Errno.ECANCELED)]
    [InlineData(Resuming, Errno.ECANCELED)]
    [InlineData(Stop, Errno.None)]
    public async Task A_reset_on_the_way_ends_the_way(MigrationState target, Errno expected)
    {
        BlockStep(Stop);
        var change = _it.Service.SetStateAsync(target, Cancellation).Soon();
        await _inStep.WaitAsync(Cancellation);
        _it.Device.Reset();
        _goOn.Set();
        Assert.Equal(expected, (await change).Error);
        Assert.Equal(Running, await _it.StateAsync());
        Assert.Equal([new(Running, RunningP2P), new(RunningP2P, Stop)], _it.Variant.Arcs);
    }

    [Fact]
    public async Task A_reset_on_the_way_to_RUNNING_leads_there()
    {
        await _it.GoAsync(Stop);
        BlockStep(RunningP2P);
        var change = _it.Service.SetStateAsync(Running, Cancellation).Soon();
        await _inStep.WaitAsync(Cancellation);
        _it.Device.Reset();
        _goOn.Set();
        Assert.Equal(Errno.None, (await change).Error);
        Assert.Equal(Running, await _it.StateAsync());
    }

    [Fact]
    public async Task A_step_that_resets_its_own_device_does_not_hang()
    {
        _it.Variant.OnStep = (arc, _, _) =>
        {
            if (arc.To is RunningP2P or Resuming)
                _it.Device.Reset();
            return default;
        };
        Assert.Equal(Errno.ECANCELED, (await _it.Service.SetStateAsync(Stop, Cancellation).Soon()).Error);
        Assert.Equal(Running, await _it.StateAsync());
        Assert.Equal(1, _it.Variant.Resets);
    }

    [Theory]
    [InlineData(Resuming)]
    [InlineData(StopCopy)]
    public async Task A_save_or_a_load_that_resets_its_own_device_is_followed_by_no_arc(MigrationState state)
    {
        // Whether the verdict or the reset is seen first is chance.
        for (var i = 0; i < 100; i++)
        {
            var began = new Signal();
            _it.Variant.OnLoad = async (session, token) =>
            {
                began.Set();
                await Streams.TakeAllAsync(session, token);
                _it.Device.Reset();
                return VfioResult.Success;
            };
            _it.Variant.OnSave = async (session, _, token) =>
            {
                began.Set();
                await Task.Delay(Timeout.Infinite, token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                _it.Device.Reset();
                return VfioResult.Success;
            };
            await _it.BeginAsync(state);
            await began.WaitAsync(Cancellation);
            _it.Variant.Arcs.Clear();
            Assert.Equal(Errno.ECANCELED, (await _it.Service.SetStateAsync(Stop, Cancellation).Soon()).Error);
            Assert.Empty(_it.Variant.Arcs);
            Assert.Equal(Running, await _it.StateAsync());
            Assert.Equal(i + 1, _it.Variant.Resets);
        }
    }

    [Fact]
    public async Task A_reset_breaks_off_the_wait_for_a_loads_verdict()
    {
        var letGo = new Signal();
        _it.Variant.OnLoad = async (_, _) =>
        {
            await letGo.WaitAsync(CancellationToken.None);
            return VfioResult.Success;
        };
        await _it.BeginAsync(Resuming);
        _it.Variant.Arcs.Clear();
        var change = _it.Service.SetStateAsync(Stop, Cancellation).Soon();
        Assert.False(change.IsCompleted);
        _it.Device.Reset();
        Assert.Equal(Errno.ECANCELED, (await change).Error);
        Assert.Equal(Running, await _it.StateAsync());
        Assert.DoesNotContain(_it.Variant.Arcs, arc => arc.From == Resuming);

        // The old load still runs: the next session waits for it.
        var next = _it.Service.SetStateAsync(Resuming, Cancellation).Soon();
        Assert.False(next.IsCompleted);
        letGo.Set();
        Assert.NotNull((await next).Value);
    }

    [Fact]
    public async Task A_close_breaks_off_a_step_that_can_be_given_up()
    {
        var given = CancellationToken.None;
        _it.Variant.OnStep = async (_, _, token) =>
        {
            given = token;
            _inStep.Set();
            await Task.Delay(Timeout.Infinite, token);
            return VfioResult.Success;
        };
        var change = _it.Service.SetStateAsync(Stop, Cancellation).Soon();
        await _inStep.WaitAsync(Cancellation);
        _it.Device.Reset();
        Assert.False(given.IsCancellationRequested);
        _it.Device.Reset(ResetCause.ClientLost);
        Assert.True(given.IsCancellationRequested);
        Assert.Equal(Errno.ECANCELED, (await change).Error);
        Assert.Equal(Running, await _it.StateAsync());
    }

    [Fact]
    public async Task The_end_of_the_stream_before_a_close_waits_for_nothing_and_changes_no_state()
    {
        var stream = await _it.BeginAsync(PreCopy);
        _it.Service.EndStream();
        Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[1], Cancellation)).Error);
        Assert.Equal(PreCopy, await _it.StateAsync());
        Assert.Equal(0, _it.Variant.Resets);
    }

    [Fact]
    public async Task A_variant_that_throws_when_it_is_told_of_a_reset_does_not_keep_the_state()
    {
        _it.Variant.WhenReset = () => throw new InvalidOperationException("no");
        await _it.GoAsync(Stop);
        _it.Device.Reset();
        Assert.Equal(Running, await _it.StateAsync());
        await _it.GoAsync(Stop);
    }

    [Fact]
    public async Task A_callback_of_the_variant_does_not_run_in_the_reset()
    {
        var letGo = new ManualResetEventSlim();
        var began = new Signal();
        _it.Variant.OnSave = async (session, _, token) =>
        {
            session.Ended.Register(() => letGo.Wait(CancellationToken.None));
            began.Set();
            await Task.Delay(Timeout.Infinite, token);
            return VfioResult.Success;
        };
        await _it.BeginAsync(StopCopy);
        await began.WaitAsync(Cancellation);
        _it.Device.Reset();
        Assert.Equal(Running, await _it.StateAsync());
        letGo.Set();
    }

    [Fact]
    public async Task Who_is_told_RUNNING_because_of_a_reset_finds_it_RUNNING()
    {
        MigrationSession? session = null;
        _it.Variant.OnStep = (_, of, _) =>
        {
            session = of;
            return default;
        };
        await _it.BeginAsync(PreCopy);

        // The reset has been seen, and gets no further for now.
        var gate = ((Vfio.Core.Migration.DataSession)session!).Gate;
        Task resetting;
        Task<VfioResult<MigrationDataStream?>> change;
        Task<VfioResult<MigrationState>> state;
        lock (gate)
        {
            resetting = Task.Run(() => _it.Device.Reset(), Cancellation);
            SpinWait.SpinUntil(() => _it.Service.IsResetComing);
            change = _it.Service.SetStateAsync(Running, Cancellation).AsTask();
            state = _it.Service.GetStateAsync(Cancellation).AsTask();
        }

        Assert.Equal(Errno.None, (await change.Soon()).Error);
        Assert.Equal(Running, (await state.Soon()).Value);
        await resetting.Soon();
    }

    [Fact]
    public async Task Between_the_end_of_the_stream_and_the_close_nothing_begins()
    {
        await _it.BeginAsync(PreCopy);
        BlockStep(Running);
        var change = _it.Service.SetStateAsync(Running, Cancellation).Soon();
        await _inStep.WaitAsync(Cancellation);
        var waiting = _it.Service.SetStateAsync(PreCopy, Cancellation).Soon();
        _it.Service.EndStream();
        _goOn.Set();
        await change;
        Assert.Equal(Errno.ECANCELED, (await waiting).Error);
        Assert.Equal(Errno.ECANCELED, (await _it.Service.SetStateAsync(Resuming, Cancellation).Soon()).Error);

        _it.Device.Reset(ResetCause.Close);
        _it.Device.Reset(ResetCause.Open);
        await _it.BeginAsync(PreCopy);
    }

    // The next step to a state waits until it is let go.
    private void BlockStep(MigrationState to, Action<MigrationSession?>? seen = null)
        => _it.Variant.OnStep = async (arc, session, _) =>
        {
            if (arc.To != to)
                return VfioResult.Success;
            seen?.Invoke(session);
            _inStep.Set();
            await _goOn.WaitAsync(CancellationToken.None);
            return VfioResult.Success;
        };
}
