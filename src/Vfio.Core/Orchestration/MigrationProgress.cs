namespace Vfio.Core;

/// <summary>Where a migration is.</summary>
/// <param name="Stage">What is being done.</param>
/// <param name="Bytes">Bytes of the devices' data that went over so far.</param>
/// <param name="BytesPerSecond">How fast, of late; 0 while it is not known.</param>
/// <param name="Rounds">Rounds of PRE_COPY that are done.</param>
/// <param name="InitialBytes">What must be read before the devices may be stopped; of the source, after a round.</param>
/// <param name="DirtyBytes">What has changed since it was read; of the source, after a round.</param>
/// <param name="StopCopyBytes">What there is to read of stopped devices, as they estimate it; of the source, after a round.</param>
/// <param name="Elapsed">Since the beginning.</param>
public readonly record struct MigrationProgress(
    MigrationStage Stage,
    ulong Bytes,
    double BytesPerSecond,
    int Rounds,
    ulong InitialBytes,
    ulong DirtyBytes,
    ulong StopCopyBytes,
    TimeSpan Elapsed);

/// <summary>The stages of a migration, in their order; every device has reached one before any goes on to the next.</summary>
public enum MigrationStage
{
    /// <summary>The two sides agree on what is to be moved.</summary>
    Preparing,

    /// <summary>The devices run and are read (PRE_COPY), or what is read of them is loaded.</summary>
    Precopy,

    /// <summary>The devices start no DMA to each other any more.</summary>
    Quiescing,

    /// <summary>The devices stand still and are read (STOP_COPY).</summary>
    StopCopy,

    /// <summary>The destination looks at what it has (RESUMING to STOP).</summary>
    Loading,

    /// <summary>The source has stopped, and the destination is told to run.</summary>
    HandingOver,

    /// <summary>Done.</summary>
    Completed,

    /// <summary>The source goes back to RUNNING.</summary>
    Recovering,
}
