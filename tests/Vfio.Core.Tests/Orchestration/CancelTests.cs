using static Vfio.MigrationCapabilities;

namespace Vfio.Core.Tests.Orchestration;

/// <summary>The migration is given up at every operation of a device in turn, until it comes to its end undisturbed.</summary>
public sealed class CancelTests
{
    private const int FarMoreThanThereAre = 10_000;

    public static TheoryData<int, MigrationCapabilities> Sets => new()
    {
        { 1, StopCopy }, { 1, StopCopy | P2P }, { 1, StopCopy | PreCopy }, { 1, Rig.All }, { 3, Rig.All }, { 2, StopCopy | P2P },
    };

    [Theory]
    [MemberData(nameof(Sets))]
    public async Task A_source_that_gives_up_anywhere_runs_again(int count, MigrationCapabilities capabilities)
        => await AtEveryOperationAsync(count, capabilities, rig => rig.SourceGivesUp, rig =>
        {
            if (rig.SourceFailure is { } failure)
                Assert.IsType<OperationCanceledException>(failure, exactMatch: false);
        });

    [Theory]
    [MemberData(nameof(Sets))]
    public async Task A_destination_that_gives_up_anywhere_leaves_the_source_running(int count, MigrationCapabilities capabilities)
        => await AtEveryOperationAsync(count, capabilities, rig => rig.DestinationGivesUp, rig =>
        {
            if (rig.SourceFailure is not null)
                Assert.IsType<OperationCanceledException>(rig.DestinationFailure, exactMatch: false);
        });

    [Fact]
    public async Task A_source_that_gives_up_while_nobody_answers_runs_again()
    {
        var world = new FakeWorld();
        var device = new FakeDevice(world, "A", Rig.All, isSource: true);
        using var end = new CancellationTokenSource();
        var sending = new MigrationSource(Rig.Named([device])).SendAsync(new Wire().Source, end.Token);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        Assert.Equal(MigrationState.Running, device.State);
    }

    [Fact]
    public async Task Giving_up_is_not_heeded_once_the_destination_has_been_told_to_run()
    {
        var rig = new Rig(2);
        rig.World.OnOperation = (device, operation, _) =>
        {
            if (operation == "Stop to RunningP2P" && !device.IsSource)
            {
                rig.SourceGivesUp.Cancel();
                rig.DestinationGivesUp.Cancel();
            }

            return Errno.None;
        };
        await rig.SucceedAsync();
    }

    [Fact]
    public async Task A_source_that_cannot_go_back_says_in_which_state_each_device_was_left()
    {
        var rig = new Rig(2);
        rig.World.OnOperation = (device, operation, _) =>
        {
            if (device.IsSource && device.State == MigrationState.StopCopy && operation == "read")
                rig.SourceGivesUp.Cancel();
            return device.Name == "B" && operation == "Stop to RunningP2P" ? Errno.EIO : Errno.None;
        };
        await rig.RunAsync();
        var failure = Assert.IsType<MigrationFailedException>(rig.SourceFailure);
        Assert.Equal(MigrationOutcome.NobodyRuns, failure.Outcome);
        Assert.Equal([new("A", MigrationState.Running), new("B", MigrationState.Stop)], failure.Devices);
        Assert.Contains("B is in Stop", failure.Message, StringComparison.Ordinal);
        Assert.Null(rig.World.Violation);
    }

    private static async Task AtEveryOperationAsync(
        int count, MigrationCapabilities capabilities, Func<Rig, CancellationTokenSource> whose, Action<Rig> check)
    {
        for (var at = 1; at < FarMoreThanThereAre; at++)
        {
            var rig = new Rig(count, capabilities);
            var reached = false;
            rig.World.OnOperation = (_, _, number) =>
            {
                if (number == at)
                {
                    reached = true;
                    whose(rig).Cancel();
                }

                return Errno.None;
            };
            await rig.RunAsync();
            rig.AssertHonest();
            check(rig);
            if (reached)
                continue;
            Assert.True(rig.DestinationRuns);
            return;
        }

        Assert.Fail("it does not come to an end");
    }
}
