namespace Vfio.Core;

/// <summary>How devices are taken over.</summary>
public sealed record MigrationDestinationOptions
{
    /// <summary>The devices of the set start no DMA to each other, so that they may be started without P2P. False.</summary>
    public bool DevicesAreNoPeers { get; init; }

    /// <summary>
    /// Whether the devices run when the connection ends after everything was loaded and before the source has said that it has stopped.
    /// False, because the source then runs on; true only where something else has made sure that it does not (fencing).
    /// </summary>
    public bool RunWhenSourceIsLost { get; init; }

    /// <summary>How long a source that was refused has to hear of it before the connection is given up. 10 s.</summary>
    public TimeSpan RefusalTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The clock that rate and duration are measured with.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Told of every stage, and now and then in between; null for nobody. Must not block.</summary>
    public IProgress<MigrationProgress>? Progress { get; init; }
}
