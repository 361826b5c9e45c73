using static Vfio.MigrationCapabilities;

namespace Vfio.Core.Tests.Orchestration;

/// <summary>A device of either side fails at each of its operations in turn.</summary>
public sealed class FailureTests
{
    private const int FarMoreThanThereAre = 10_000;

    public static TheoryData<int, MigrationCapabilities> Sets => CancelTests.Sets;

    [Theory]
    [MemberData(nameof(Sets))]
    public async Task A_source_that_fails_anywhere_runs_again(int count, MigrationCapabilities capabilities)
        => await AtEveryOperationAsync(count, capabilities, ofSource: true, throws: false);

    [Theory]
    [MemberData(nameof(Sets))]
    public async Task A_source_that_throws_anywhere_runs_again(int count, MigrationCapabilities capabilities)
        => await AtEveryOperationAsync(count, capabilities, ofSource: true, throws: true);

    [Theory]
    [MemberData(nameof(Sets))]
    public async Task A_destination_that_fails_anywhere_leaves_the_source_running_unless_it_has_run_itself(
        int count, MigrationCapabilities capabilities)
        => await AtEveryOperationAsync(count, capabilities, ofSource: false, throws: false);

    [Fact]
    public async Task The_source_hears_why_it_was_refused()
    {
        var rig = new Rig();
        rig.World.OnOperation = (device, operation, _) => !device.IsSource && operation == "write" ? Errno.EFAULT : Errno.None;
        await rig.RunAsync();
        rig.AssertHonest();
        var failure = Assert.IsType<MigrationFailedException>(rig.SourceFailure);
        Assert.Equal(Errno.EFAULT, failure.Error);
        Assert.Equal("the destination refuses: a refuses the data: EFAULT", failure.Message);
        Assert.Equal([new("A", MigrationState.Running)], failure.Devices);
        var refusal = Assert.IsType<MigrationFailedException>(rig.DestinationFailure);
        Assert.Equal(MigrationOutcome.SourceRuns, refusal.Outcome);
        Assert.Equal([new("a", MigrationState.Resuming)], refusal.Devices);
    }

    [Fact]
    [Trait("Trap", "40")]
    public async Task Data_that_turns_out_incomplete_only_at_the_end_leaves_the_source_running()
    {
        var rig = new Rig();
        rig.Destinations[0].Whole = 1_000_000;
        await rig.RunAsync();
        rig.AssertHonest();
        Assert.Equal(Errno.EINVAL, Assert.IsType<MigrationFailedException>(rig.SourceFailure).Error);
    }

    [Fact]
    public async Task A_destination_that_never_left_STOP_gives_the_devices_back()
    {
        var rig = new Rig(2);
        rig.World.OnOperation = (device, operation, _) => device.Name == "a" && operation == "Stop to RunningP2P" ? Errno.EIO : Errno.None;
        await rig.RunAsync();
        rig.AssertHonest();
        Assert.Equal(MigrationOutcome.SourceRuns, Assert.IsType<MigrationFailedException>(rig.SourceFailure).Outcome);
        var failure = Assert.IsType<MigrationFailedException>(rig.DestinationFailure);
        Assert.Equal(MigrationOutcome.NobodyRuns, failure.Outcome);
        Assert.Equal([new("a", MigrationState.Stop), new("b", MigrationState.Stop)], failure.Devices);
    }

    [Fact]
    public async Task A_destination_of_which_something_has_run_does_not_give_the_devices_back()
    {
        var rig = new Rig(2);
        rig.World.OnOperation = (device, operation, _) => device.Name == "b" && operation == "Stop to RunningP2P" ? Errno.EIO : Errno.None;
        await rig.RunAsync();
        Assert.Null(rig.World.Violation);
        var failure = Assert.IsType<MigrationFailedException>(rig.SourceFailure);
        Assert.Equal(MigrationOutcome.DestinationMayRun, failure.Outcome);
        Assert.Equal([new("A", MigrationState.Stop), new("B", MigrationState.Stop)], failure.Devices);
        Assert.Equal(MigrationOutcome.DestinationMayRun, Assert.IsType<MigrationFailedException>(rig.DestinationFailure).Outcome);
    }

    [Fact]
    public async Task A_source_that_was_reset_is_not_handed_over_whenever_it_was()
    {
        for (var at = 1; ; at++)
        {
            var rig = new Rig();
            var seen = 0;
            rig.World.OnOperation = (device, operation, _) =>
            {
                if (device.IsSource && !operation.Contains(" to ", StringComparison.Ordinal) && device.State != MigrationState.Running && ++seen == at)
                    device.Reset();
                return Errno.None;
            };
            await rig.RunAsync();
            if (seen < at)
                return;
            rig.AssertHonest();
            Assert.NotNull(rig.SourceFailure);
        }
    }

    [Fact]
    public async Task A_source_that_runs_again_says_so_whatever_failed_on_the_way()
    {
        var rig = new Rig(2);
        var failed = false;
        rig.World.OnOperation = (device, operation, _) =>
        {
            if (device.IsSource && device.State == MigrationState.StopCopy && operation == "read")
                rig.SourceGivesUp.Cancel();
            if (!device.IsSource || operation != "get state" || !rig.SourceGivesUp.IsCancellationRequested || failed)
                return Errno.None;
            failed = true;
            return Errno.EIO;
        };
        await rig.RunAsync();
        Assert.True(failed);
        rig.AssertHonest();
        Assert.IsType<OperationCanceledException>(rig.SourceFailure, exactMatch: false);
    }

    [Fact]
    public async Task A_destination_that_was_reset_with_everything_loaded_does_not_run_in_its_place()
    {
        var rig = new Rig(2);
        rig.World.OnOperation = (device, operation, _) =>
        {
            if (device.Name == "A" && operation == "StopCopy to Stop")
                rig.Destinations[1].Reset();
            return Errno.None;
        };
        await rig.RunAsync();
        rig.AssertHonest();
        Assert.Contains("it was reset", Assert.IsType<MigrationFailedException>(rig.SourceFailure).Message, StringComparison.Ordinal);
    }

    private static async Task AtEveryOperationAsync(int count, MigrationCapabilities capabilities, bool ofSource, bool throws)
    {
        for (var at = 1; at < FarMoreThanThereAre; at++)
        {
            var rig = new Rig(count, capabilities);
            var seen = 0;
            rig.World.OnOperation = (device, _, _) =>
            {
                if (device.IsSource != ofSource || ++seen != at)
                    return Errno.None;
                return throws ? throw new InvalidOperationException("the device's fault") : Errno.EIO;
            };
            await rig.RunAsync();
            if (ofSource || !rig.Destinations.Any(d => d.HasLoaded && d.IsRunning))
                rig.AssertHonest();
            Assert.Null(rig.World.Violation);
            if (seen >= at)
                continue;
            Assert.True(rig.DestinationRuns);
            return;
        }

        Assert.Fail("it does not come to an end");
    }
}
