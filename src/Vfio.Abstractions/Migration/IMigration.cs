using System.IO.Pipelines;

namespace Vfio;

/// <summary>
/// How a variant migrates: it carries out arcs, one legal arc at a time; whoever calls it owns the state and walks the path. Calls do not
/// overlap.
/// </summary>
/// <remarks>
/// Source: <c>struct vfio_migration_ops</c>. A reset in the middle of an arc is the variant's to survive: <see cref="DeferredReset"/>.
/// </remarks>
public interface IMigration
{
    /// <summary>What the device can do. Fixed while the device exists.</summary>
    MigrationCapabilities Capabilities { get; }

    /// <summary>Carries out one arc.</summary>
    /// <param name="arc">An arc that the capabilities allow.</param>
    /// <param name="session">The data stream of the session that the arc begins, goes on with, or ends.</param>
    /// <param name="cancellationToken">Gives up; the device is then in the state that the arc started from.</param>
    /// <returns>Any errno: the device is in the state that the arc started from.</returns>
    ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession session, CancellationToken cancellationToken);

    /// <summary>How many bytes STOP_COPY would yield now. Answers in every state, and changes nothing.</summary>
    ulong StopCopySize { get; }
}

/// <summary>One saving or resuming of a device: its data stream. One of the two ends is there, never both.</summary>
public abstract class MigrationSession
{
    /// <summary>Where a saving variant writes; null while resuming.</summary>
    public abstract PipeWriter? Saving { get; }

    /// <summary>Where a resuming variant reads; null while saving.</summary>
    public abstract PipeReader? Resuming { get; }

    /// <summary>Set when the session ends before its time: a reset, a cancelled migration, a client that vanished.</summary>
    public abstract CancellationToken Cancelled { get; }
}

/// <summary>How a device logs the memory that it writes. Source: <c>struct vfio_log_ops</c>. Thread-safe.</summary>
public interface IDmaLogging
{
    /// <summary>Begins to log.</summary>
    /// <param name="ranges">What to log; not empty, without overlaps.</param>
    /// <param name="pageSize">The granularity wished for, a power of two; receives the one that is used.</param>
    /// <returns>EINVAL: it is logging. EOPNOTSUPP: not these ranges.</returns>
    VfioResult Start(ReadOnlySpan<RegionArea> ranges, ref ulong pageSize);

    /// <summary>Ends logging; success if it was not logging.</summary>
    VfioResult Stop();

    /// <summary>Sets a bit for each page that was written since the last report, and forgets them.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="pageSize">Bytes that one bit stands for, a power of two.</param>
    /// <param name="bitmap">One bit a page, from bit 0 of word 0; bits are only ever set.</param>
    /// <returns>EINVAL: it is not logging. Any other errno: all of the range must be taken for written.</returns>
    VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap);
}
