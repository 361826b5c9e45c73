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
        _it.Variant.OnStep = async (_, _, token) =>
        {
            _inStep.Set();
            await Task.Delay(Timeout.Infinite, token);
            return VfioResult.Success;
        };
        var change = _it.Service.SetStateAsync(Stop, Cancellation).Soon();
        await _inStep.WaitAsync(Cancellation);
        _it.Device.Reset();
        Assert.False(change.IsCompleted);
        _it.Device.Reset(ResetCause.ClientLost);
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
