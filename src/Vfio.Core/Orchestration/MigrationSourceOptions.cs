namespace Vfio.Core;

/// <summary>How devices are moved away.</summary>
public sealed record MigrationSourceOptions
{
    /// <summary>For how long the devices may stand still: PRE_COPY goes on until what is left takes no longer. 300 ms.</summary>
    public TimeSpan DowntimeTarget { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>How many rounds PRE_COPY has to get there, from 1. 64.</summary>
    public int MaxRounds { get; init; } = 64;

    /// <summary>What to do when it does not get there.</summary>
    public NonConvergence OnNonConvergence { get; init; } = NonConvergence.Stop;

    /// <summary>Whether devices that can be read while they run are. True.</summary>
    public bool UsePrecopy { get; init; } = true;

    /// <summary>
    /// The devices of the set start no DMA to each other, so that they may be stopped one after another without P2P. False.
    /// </summary>
    public bool DevicesAreNoPeers { get; init; }

    /// <summary>How long to wait for the destination once it has been told to run. 30 s.</summary>
    public TimeSpan ConfirmationTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the devices have, together, to get back to RUNNING after a failure. 30 s.</summary>
    public TimeSpan RecoveryTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The clock that rate and downtime are measured with.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Told of every round and stage, and now and then in between; null for nobody. Must not block.</summary>
    public IProgress<MigrationProgress>? Progress { get; init; }
}

/// <summary>What becomes of a migration whose devices change faster than they can be read.</summary>
public enum NonConvergence
{
    /// <summary>The devices are stopped all the same, for longer than was wished for.</summary>
    Stop,

    /// <summary>The migration fails with ETIMEDOUT, and the devices run on.</summary>
    Fail,
}
