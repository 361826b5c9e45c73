using static Vfio.MigrationCapabilities;

namespace Vfio.Core.Tests.Orchestration;

public sealed class MoveTests
{
    [Theory]
    [InlineData(StopCopy)]
    [InlineData(StopCopy | P2P)]
    [InlineData(StopCopy | PreCopy)]
    [InlineData(StopCopy | P2P | PreCopy)]
    public async Task A_device_moves_with_what_it_can_do(MigrationCapabilities capabilities)
    {
        var rig = new Rig(1, capabilities);
        await rig.SucceedAsync();
        var precopied = (capabilities & PreCopy) != 0;
        Assert.Equal(precopied ? 16ul : 7ul, rig.Sent!.Bytes);
        Assert.Equal(precopied ? 9ul : 0ul, rig.Sent.PrecopyBytes);
        Assert.Equal(precopied ? true : null, rig.Sent.Converged);
        Assert.True(rig.Sent.IsConfirmed);
        Assert.True(rig.Received!.IsConfirmed);
        Assert.Equal(rig.Sent.Bytes, rig.Received.Bytes);
    }

    [Fact]
    public async Task Without_precopy_the_device_is_only_read_while_it_stands_still()
    {
        var rig = new Rig { SourceOptions = new() { UsePrecopy = false } };
        await rig.SucceedAsync();
        Assert.Equal(0, rig.Sent!.Rounds);
        Assert.DoesNotContain(rig.World.Journal, line => line.Contains("PreCopy", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_device_that_ends_its_rounds_with_0_moves_as_well()
    {
        var world = new FakeWorld();
        var rig = new Rig(
            world,
            new(world, "A", StopCopy | PreCopy, isSource: true)
            {
                PrecopyPieces = [[1, 2, 3]], StopCopyData = [4], EndsRoundsWithZero = true, LacksInfo = true,
            },
            new(world, "a", StopCopy | PreCopy, isSource: false));
        await rig.SucceedAsync();
        Assert.Equal(4ul, rig.Sent!.Bytes);
    }

    [Fact]
    public async Task The_destination_runs_only_after_the_source_is_in_STOP()
    {
        var rig = new Rig(2);
        await rig.SucceedAsync();
        var journal = rig.World.Journal.ToList();
        var stopped = journal.FindLastIndex(line => line.StartsWith("A ", StringComparison.Ordinal) || line.StartsWith("B ", StringComparison.Ordinal));
        Assert.EndsWith("StopCopy->Stop", journal[stopped], StringComparison.Ordinal);
        Assert.True(stopped < journal.FindIndex(line => line.Contains("Stop->RunningP2P", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_device_that_is_not_running_is_not_moved_and_not_touched()
    {
        var rig = new Rig();
        await rig.Sources[0].SetStateAsync(MigrationState.Stop, TestContext.Current.CancellationToken);
        await rig.RunAsync();
        var failure = Assert.IsType<MigrationFailedException>(rig.SourceFailure);
        Assert.Equal(Errno.EBUSY, failure.Error);
        Assert.Empty(failure.Devices);
        Assert.Equal(MigrationState.Stop, rig.Sources[0].State);
        Assert.Equal(MigrationState.Running, rig.Destinations[0].State);
    }

    [Fact]
    public async Task Progress_goes_through_the_stages_in_order_and_downtime_is_measured()
    {
        var clock = new AutoClock();
        var world = new FakeWorld();
        var seen = new List<MigrationProgress>();
        var rig = new Rig(
            world,
            new(world, "A", Rig.All, isSource: true)
            {
                PrecopyPieces = [new byte[1000]], StopCopyData = new byte[500], OnRead = bytes => clock.Advance(TimeSpan.FromMilliseconds(bytes)),
                DataSize = 0,
            },
            new(world, "a", Rig.All, isSource: false))
        {
            SourceOptions = new() { TimeProvider = clock, Progress = new Listener(seen) },
        };
        await rig.SucceedAsync();
        Assert.Equal(TimeSpan.FromMilliseconds(500), rig.Sent!.Downtime);
        Assert.Equal(TimeSpan.FromMilliseconds(1500), rig.Sent.Duration);
        Assert.Equal(seen.Select(p => p.Stage).Order(), seen.Select(p => p.Stage));
        Assert.Equal(
            Enum.GetValues<MigrationStage>().Where(stage => stage != MigrationStage.Recovering), seen.Select(p => p.Stage).Distinct());
        Assert.Equal(1500ul, seen[^1].Bytes);
        Assert.Equal(1000.0, seen[^1].BytesPerSecond);
    }

    private sealed class Listener(List<MigrationProgress> seen) : IProgress<MigrationProgress>
    {
        public void Report(MigrationProgress value) => seen.Add(value);
    }
}
