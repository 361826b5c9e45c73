namespace Vfio.Core.Tests.Orchestration;

/// <summary>The connection is cut behind every byte of a small migration, in either direction.</summary>
public sealed class CutTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_cut_anywhere_never_leaves_two_copies_running(int count)
    {
        var whole = new Rig(count);
        await whole.SucceedAsync();
        var outcomes = new HashSet<MigrationOutcome>();
        for (var at = 0L; at < whole.Wire.Source.Written; at++)
            outcomes.Add(await CutAsync(count, new(cutThere: at)));
        Assert.Equal([MigrationOutcome.SourceRuns, MigrationOutcome.DestinationMayRun], outcomes.Order());
        outcomes.Clear();
        for (var at = 0L; at < whole.Wire.Destination.Written; at++)
            outcomes.Add(await CutAsync(count, new(cutBack: at)));
        Assert.Equal([MigrationOutcome.SourceRuns, MigrationOutcome.DestinationMayRun], outcomes.Order());
    }

    [Fact]
    public async Task A_destination_that_lost_its_source_with_everything_loaded_stays_in_STOP()
    {
        var rig = await CutBeforeHandOverAsync(new());
        var failure = Assert.IsType<MigrationFailedException>(rig.DestinationFailure);
        Assert.Equal(MigrationOutcome.NobodyRuns, failure.Outcome);
        Assert.Equal([new("a", MigrationState.Stop)], failure.Devices);
        Assert.True(rig.Destinations[0].HasLoaded);
    }

    [Fact]
    public async Task A_destination_that_lost_its_source_runs_where_something_else_has_stopped_that()
    {
        var rig = await CutBeforeHandOverAsync(new() { RunWhenSourceIsLost = true });
        Assert.Null(rig.DestinationFailure);
        Assert.False(rig.Received!.IsConfirmed);
        Assert.True(rig.DestinationRuns);
    }

    [Fact]
    public async Task A_destination_that_runs_without_its_source_is_not_given_up_any_more()
    {
        var whole = new Rig(2);
        await whole.SucceedAsync();
        var rig = new Rig(2, wire: new(cutThere: whole.Wire.Source.Written - 1)) { DestinationOptions = new() { RunWhenSourceIsLost = true } };
        rig.World.OnOperation = (device, operation, _) =>
        {
            if (device.Name == "b" && operation == "Stop to RunningP2P")
            {
                rig.DestinationGivesUp.Cancel();
                return Errno.EIO;
            }

            return Errno.None;
        };
        await rig.RunAsync();
        var failure = Assert.IsType<MigrationFailedException>(rig.DestinationFailure);
        Assert.Equal(MigrationOutcome.DestinationMayRun, failure.Outcome);
        Assert.Equal([new("a", MigrationState.RunningP2P), new("b", MigrationState.Stop)], failure.Devices);
    }

    [Fact]
    public async Task A_destination_told_to_run_whose_confirmation_is_lost_runs_and_the_source_stays_in_STOP()
    {
        var whole = new Rig();
        await whole.SucceedAsync();
        var rig = new Rig(wire: new(cutBack: whole.Wire.Destination.Written - 1));
        await rig.RunAsync();
        Assert.Equal(MigrationOutcome.DestinationMayRun, Assert.IsType<MigrationFailedException>(rig.SourceFailure).Outcome);
        Assert.Equal(MigrationState.Stop, rig.Sources[0].State);
        Assert.True(rig.DestinationRuns);
        Assert.False(rig.Received!.IsConfirmed);
    }

    private static async Task<MigrationOutcome> CutAsync(int count, Wire wire)
    {
        var rig = new Rig(count, wire: wire);
        await rig.RunAsync();
        rig.AssertHonest();
        return Assert.IsType<MigrationFailedException>(rig.SourceFailure).Outcome;
    }

    // The last frame of the source is the one that hands over.
    private static async Task<Rig> CutBeforeHandOverAsync(MigrationDestinationOptions options)
    {
        var whole = new Rig();
        await whole.SucceedAsync();
        var rig = new Rig(wire: new(cutThere: whole.Wire.Source.Written - 1)) { DestinationOptions = options };
        await rig.RunAsync();
        Assert.Equal(MigrationOutcome.DestinationMayRun, Assert.IsType<MigrationFailedException>(rig.SourceFailure).Outcome);
        Assert.Equal(MigrationState.Stop, rig.Sources[0].State);
        return rig;
    }
}
