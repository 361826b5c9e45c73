using static Vfio.MigrationCapabilities;

namespace Vfio.Core.Tests.Orchestration;

/// <summary>When PRE_COPY has been enough: over a connection of 1,000 bytes a second.</summary>
public sealed class ConvergenceTests
{
    private static readonly TimeSpan OneSecond = TimeSpan.FromSeconds(1);
    private readonly AutoClock _clock = new();
    private readonly FakeWorld _world = new();

    [Fact]
    public async Task Rounds_go_on_until_what_is_left_fits_into_the_downtime_target()
    {
        // 8000 bytes, and each round leaves half of what the last one read: 4000, 2000, 1000, 500; 400 more are for the end.
        var summary = await MoveAsync(Device(round => 8000 >> round, round => new(0, (ulong)(8000 >> round)), 400), new() { DowntimeTarget = OneSecond });
        Assert.Equal(4, summary.Rounds);
        Assert.True(summary.Converged);
    }

    [Fact]
    public async Task It_is_too_early_while_there_are_initial_bytes()
    {
        var device = Device(_ => 10, round => new(round < 5 ? 1ul : 0, 0), 10);
        Assert.Equal(5, (await MoveAsync(device, new() { DowntimeTarget = TimeSpan.FromHours(1) })).Rounds);
    }

    [Fact]
    [Trait("Trap", "43")]
    public async Task New_initial_bytes_make_another_round_of_it()
    {
        var device = Device(_ => 10, round => new(0, 0, HasNewInitial: round == 1), 10);
        Assert.Equal(2, (await MoveAsync(device, new() { DowntimeTarget = TimeSpan.FromHours(1) })).Rounds);
    }

    [Fact]
    public async Task A_device_that_cannot_be_asked_is_judged_by_what_a_round_had()
    {
        var device = Device(round => 8000 >> round, null, 400);
        var summary = await MoveAsync(device, new() { DowntimeTarget = OneSecond });
        Assert.Equal(5, summary.Rounds);
        Assert.True(summary.Converged);
    }

    [Fact]
    public async Task A_device_that_changes_too_fast_is_stopped_all_the_same_after_the_last_round()
    {
        var device = Device(_ => 5000, _ => new(0, 5000), 10);
        var summary = await MoveAsync(device, new() { DowntimeTarget = OneSecond, MaxRounds = 7 });
        Assert.Equal(7, summary.Rounds);
        Assert.False(summary.Converged);
    }

    [Fact]
    public async Task A_device_that_changes_too_fast_runs_on_where_that_was_asked_for()
    {
        var device = Device(_ => 5000, _ => new(0, 5000), 10);
        var options = new MigrationSourceOptions { DowntimeTarget = OneSecond, MaxRounds = 7, OnNonConvergence = NonConvergence.Fail };
        var rig = Rig(device, options);
        await rig.RunAsync();
        rig.AssertHonest();
        var failure = Assert.IsType<MigrationFailedException>(rig.SourceFailure);
        Assert.Equal(Errno.ETIMEDOUT, failure.Error);
        Assert.Contains("7 rounds", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rounds_that_can_make_nothing_smaller_are_not_made()
    {
        var device = Device(round => round == 0 ? 1000 : null, _ => default, 5000);
        var summary = await MoveAsync(device, new() { DowntimeTarget = OneSecond });
        Assert.Equal(2, summary.Rounds);
        Assert.False(summary.Converged);
        Assert.Equal(0, _clock.Pauses);
    }

    [Fact]
    public async Task A_device_that_has_nothing_for_now_is_asked_again_after_a_pause()
    {
        var device = Device(round => round is > 0 and < 5 ? null : 100, round => new(round < 6 ? 100ul : 0, 0), 10);
        var summary = await MoveAsync(device, new() { DowntimeTarget = OneSecond });
        Assert.Equal(6, summary.Rounds);
        Assert.Equal(4, _clock.Pauses);
    }

    [Fact]
    public async Task A_round_of_a_device_that_never_says_ENOMSG_ends_all_the_same()
    {
        var device = Device(_ => 16 << 20, _ => new(0, 1 << 20), 10);
        var summary = await MoveAsync(device, new() { DowntimeTarget = OneSecond, MaxRounds = 2 });
        Assert.Equal(2, summary.Rounds);
        Assert.InRange(summary.PrecopyBytes, 2ul << 20, 10ul << 20);
    }

    private async Task<MigrationSummary> MoveAsync(FakeDevice device, MigrationSourceOptions options)
    {
        var rig = Rig(device, options);
        await rig.SucceedAsync();
        return rig.Sent!;
    }

    private Rig Rig(FakeDevice device, MigrationSourceOptions options)
        => new(_world, device, new(_world, "a", StopCopy | PreCopy, isSource: false)) { SourceOptions = options with { TimeProvider = _clock } };

    private FakeDevice Device(Func<int, int?> piece, Func<int, PrecopyInfo>? info, int stopCopy) => new(_world, "A", StopCopy | PreCopy, isSource: true)
    {
        MakePiece = round => piece(round) is { } size ? new byte[size] : null,
        Info = info,
        LacksInfo = info is null,
        StopCopyData = new byte[stopCopy],
        OnRead = bytes => _clock.Advance(TimeSpan.FromMilliseconds(bytes)),
    };
}
