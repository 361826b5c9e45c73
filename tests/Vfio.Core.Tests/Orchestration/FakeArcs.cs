using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Orchestration;

/// <summary>The state machine of linux-vfio.md 6.3 by its rule: the shortest way, on which no saving and no resuming state is an inner one.</summary>
internal static class FakeArcs
{
    private static readonly (MigrationState From, MigrationState To, MigrationCapabilities Needs, MigrationCapabilities Without)[] All =
    [
        (Running, Stop, 0, MigrationCapabilities.P2P), (Stop, Running, 0, MigrationCapabilities.P2P),
        (Stop, StopCopy, 0, 0), (StopCopy, Stop, 0, 0), (Stop, Resuming, 0, 0), (Resuming, Stop, 0, 0),
        (Running, RunningP2P, MigrationCapabilities.P2P, 0), (RunningP2P, Running, MigrationCapabilities.P2P, 0),
        (RunningP2P, Stop, MigrationCapabilities.P2P, 0), (Stop, RunningP2P, MigrationCapabilities.P2P, 0),
        (Running, PreCopy, MigrationCapabilities.PreCopy, 0), (PreCopy, Running, MigrationCapabilities.PreCopy, 0),
        (PreCopy, StopCopy, MigrationCapabilities.PreCopy, MigrationCapabilities.P2P),
        (PreCopy, PreCopyP2P, MigrationCapabilities.PreCopy | MigrationCapabilities.P2P, 0),
        (PreCopyP2P, PreCopy, MigrationCapabilities.PreCopy | MigrationCapabilities.P2P, 0),
        (RunningP2P, PreCopyP2P, MigrationCapabilities.PreCopy | MigrationCapabilities.P2P, 0),
        (PreCopyP2P, RunningP2P, MigrationCapabilities.PreCopy | MigrationCapabilities.P2P, 0),
        (PreCopyP2P, StopCopy, MigrationCapabilities.PreCopy | MigrationCapabilities.P2P, 0),
    ];

    public static IReadOnlyList<MigrationState>? Path(MigrationCapabilities capabilities, MigrationState from, MigrationState to)
    {
        var ways = new Queue<List<MigrationState>>([[from]]);
        while (ways.TryDequeue(out var way))
        {
            if (way[^1] == to)
                return way[1..];
            foreach (var arc in All.Where(a => a.From == way[^1] && (capabilities & a.Needs) == a.Needs && (capabilities & a.Without) == 0))
            {
                if (!way.Contains(arc.To) && (arc.To == to || IsInner(way, arc.To)))
                    ways.Enqueue([.. way, arc.To]);
            }
        }

        return null;
    }

    private static bool IsInner(List<MigrationState> way, MigrationState state)
        => state is Stop or Running or RunningP2P || (state == PreCopyP2P && way[^1] == PreCopy);
}
