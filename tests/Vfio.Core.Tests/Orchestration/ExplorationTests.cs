using static Vfio.MigrationCapabilities;

namespace Vfio.Core.Tests.Orchestration;

/// <summary>Two things go wrong, each at every operation of a device: who runs at the end, and does each side say so.</summary>
public sealed class ExplorationTests
{
    /// <summary>What goes wrong.</summary>
    public enum Fault
    {
        SourceGivesUp,
        DestinationGivesUp,
        ConnectionIsLost,
        OperationFails,
        SourceCrashes,
        DestinationCrashes,
    }

    public static TheoryData<Fault, Fault> Pairs
        => [.. from first in Enum.GetValues<Fault>() from second in Enum.GetValues<Fault>() select (first, second)];

    [Theory]
    [MemberData(nameof(Pairs))]
    public async Task Two_faults_anywhere_never_leave_two_copies_running(Fault first, Fault second)
    {
        for (var i = 1; await RunAsync((first, i), (second, int.MaxValue)) >= i; i++)
        {
            for (var j = i; await RunAsync((first, i), (second, j)) >= j; j++)
            {
            }
        }
    }

    // How many operations there were.
    private static async Task<int> RunAsync((Fault Fault, int At) first, (Fault Fault, int At) second)
    {
        var rig = new Rig(2, StopCopy | P2P);
        var (crashedSource, crashedDestination, count) = (false, false, 0);
        rig.World.OnOperation = (device, _, number) =>
        {
            count = number;
            var error = Errno.None;
            foreach (var (fault, at) in new[] { first, second })
            {
                if (at == number)
                    error = Happen(fault, error);
            }

            // Who has crashed does nothing any more, and its devices stay as they are.
            return (device.IsSource ? crashedSource : crashedDestination) ? Errno.ENODEV : error;
        };
        await rig.RunAsync();
        Assert.Null(rig.World.Violation);
        if (!crashedSource)
            AssertSource(rig);
        if (!crashedDestination)
            AssertDestination(rig);
        return count;

        Errno Happen(Fault fault, Errno error)
        {
            switch (fault)
            {
                case Fault.SourceGivesUp:
                    rig.SourceGivesUp.Cancel();
                    break;
                case Fault.DestinationGivesUp:
                    rig.DestinationGivesUp.Cancel();
                    break;
                case Fault.OperationFails:
                    return Errno.EIO;
                default:
                    crashedSource |= fault == Fault.SourceCrashes;
                    crashedDestination |= fault == Fault.DestinationCrashes;
                    rig.Wire.Source.Dispose();
                    break;
            }

            return error;
        }
    }

    private static void AssertSource(Rig rig)
    {
        var outcome = (rig.SourceFailure as MigrationFailedException)?.Outcome;
        if (rig.SourceFailure is null || outcome == MigrationOutcome.DestinationMayRun)
        {
            Assert.All(rig.Sources, d => Assert.Equal(MigrationState.Stop, d.State));
            return;
        }

        Assert.DoesNotContain(rig.Destinations, d => d.HasLoaded && d.IsRunning);
        Assert.Equal(outcome == MigrationOutcome.NobodyRuns, rig.Sources.Any(d => d.State != MigrationState.Running));
        foreach (var left in (rig.SourceFailure as MigrationFailedException)?.Devices ?? [])
            Assert.Contains(left.State, new MigrationState?[] { null, rig.Sources.Single(d => d.Name == left.Device).State });
    }

    private static void AssertDestination(Rig rig)
    {
        if (rig.DestinationFailure is null)
            Assert.True(rig.DestinationRuns);
        else if (rig.DestinationFailure is not MigrationFailedException { Outcome: MigrationOutcome.DestinationMayRun })
            Assert.DoesNotContain(rig.Destinations, d => d.HasLoaded && d.IsRunning);
    }
}
