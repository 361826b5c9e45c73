using static Vfio.MigrationState;

namespace Vfio.Core.Migration;

/// <summary>
/// Which state comes next on the way to another one. Source: the kernel's <c>vfio_mig_get_next_state</c>; the rules are in the uAPI's
/// comment on <c>enum vfio_device_mig_state</c>.
/// </summary>
internal static class MigrationPath
{
    private const int Count = (int)PreCopyP2P + 1;

    // Row: the state that the device is in. Column: the state to reach. Where nothing leads, ERROR.
    private static readonly MigrationState[,] Steps = new MigrationState[Count, Count]
    {
        //              ERROR  STOP        RUNNING     STOP_COPY   RESUMING    RUNNING_P2P PRE_COPY    PRE_COPY_P2P
        /* ERROR        */ { Error, Error,      Error,      Error,      Error,      Error,      Error,      Error },
        /* STOP         */ { Error, Stop,       RunningP2P, StopCopy,   Resuming,   RunningP2P, RunningP2P, RunningP2P },
        /* RUNNING      */ { Error, RunningP2P, Running,    RunningP2P, RunningP2P, RunningP2P, PreCopy,    RunningP2P },
        /* STOP_COPY    */ { Error, Stop,       Stop,       StopCopy,   Stop,       Stop,       Error,      Error },
        /* RESUMING     */ { Error, Stop,       Stop,       Stop,       Resuming,   Stop,       Stop,       Stop },
        /* RUNNING_P2P  */ { Error, Stop,       Running,    Stop,       Stop,       RunningP2P, Running,    PreCopyP2P },
        /* PRE_COPY     */ { Error, Running,    Running,    PreCopyP2P, Running,    Running,    PreCopy,    PreCopyP2P },
        /* PRE_COPY_P2P */ { Error, RunningP2P, RunningP2P, StopCopy,   RunningP2P, RunningP2P, PreCopy,    PreCopyP2P },
    };

    private static readonly MigrationCapabilities[] Needs =
    [
        MigrationCapabilities.None,
        MigrationCapabilities.StopCopy,
        MigrationCapabilities.StopCopy,
        MigrationCapabilities.StopCopy,
        MigrationCapabilities.StopCopy,
        MigrationCapabilities.StopCopy | MigrationCapabilities.P2P,
        MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy,
        MigrationCapabilities.StopCopy | MigrationCapabilities.P2P | MigrationCapabilities.PreCopy,
    ];

    /// <summary>The next state on the way.</summary>
    /// <param name="capabilities">What the device can do.</param>
    /// <param name="from">The state that it is in.</param>
    /// <param name="to">The state to reach, another one; any number.</param>
    /// <param name="next">The next state.</param>
    /// <returns>Whether a way leads there.</returns>
    public static bool TryNext(MigrationCapabilities capabilities, MigrationState from, MigrationState to, out MigrationState next)
    {
        next = Error;
        if ((uint)to >= Count || !Has(capabilities, to))
            return false;
        next = Steps[(int)from, (int)to];

        // A state that the device lacks is passed over: the way goes on as if the device were in it.
        while (next != Error && !Has(capabilities, next))
            next = Steps[(int)next, (int)to];
        return next != Error;
    }

    /// <summary>Whether the device's state is read in a state.</summary>
    public static bool IsSaving(this MigrationState state) => state is StopCopy or PreCopy or PreCopyP2P;

    /// <summary>Whether it is one of the two states in which there is more to come than is read.</summary>
    public static bool IsPrecopy(this MigrationState state) => state is PreCopy or PreCopyP2P;

    /// <summary>Whether an arc begins a data stream.</summary>
    public static bool Begins(this MigrationArc arc) => arc.To == Resuming || (arc.To.IsSaving() && !arc.From.IsSaving());

    /// <summary>Whether an arc ends the data stream that there is.</summary>
    public static bool Ends(this MigrationArc arc) => arc.From == Resuming || (arc.From.IsSaving() && !arc.To.IsSaving());

    private static bool Has(MigrationCapabilities capabilities, MigrationState state)
        => (capabilities & Needs[(int)state]) == Needs[(int)state];
}
