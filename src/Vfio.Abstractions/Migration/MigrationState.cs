namespace Vfio;

/// <summary>The states of a device that migrates. Source: <c>enum vfio_device_mig_state</c>.</summary>
public enum MigrationState
{
    /// <summary>Broken; only a reset leaves it.</summary>
    Error = 0,

    /// <summary>No interrupt, no DMA, no change of state.</summary>
    Stop = 1,

    /// <summary>Running.</summary>
    Running = 2,

    /// <summary>Stopped, and its state is read.</summary>
    StopCopy = 3,

    /// <summary>Stopped, and its state is written.</summary>
    Resuming = 4,

    /// <summary>Running, but starting no DMA to its peers.</summary>
    RunningP2P = 5,

    /// <summary>Running, and its state is read.</summary>
    PreCopy = 6,

    /// <summary>Starting no DMA to its peers, and its state is read.</summary>
    PreCopyP2P = 7,
}

/// <summary>What a migrating device can do: VFIO_MIGRATION_*.</summary>
[Flags]
public enum MigrationCapabilities : ulong
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>STOP, STOP_COPY and RESUMING; every migrating device has it.</summary>
    StopCopy = 1,

    /// <summary>RUNNING_P2P.</summary>
    P2P = 2,

    /// <summary>PRE_COPY.</summary>
    PreCopy = 4,
}

/// <summary>One step of the migration state machine.</summary>
/// <param name="From">The state that the device is in.</param>
/// <param name="To">The state that it goes to.</param>
public readonly record struct MigrationArc(MigrationState From, MigrationState To);
