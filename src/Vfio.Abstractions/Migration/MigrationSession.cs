using System.IO.Pipelines;

namespace Vfio;

/// <summary>One saving or resuming of a device: its data stream. One of the two ends is there, never both.</summary>
/// <remarks>
/// What is written is framed in records (<c>MigrationRecordWriter</c>, <c>MigrationRecordReader</c>), unless the device's family has a
/// published layout.
/// </remarks>
public abstract class MigrationSession
{
    /// <summary>Where a saving variant writes; null while resuming. A flush waits while the reader is far behind.</summary>
    public abstract PipeWriter? Saving { get; }

    /// <summary>Where a resuming variant reads; null while saving. Completed where the other side has said that this was all.</summary>
    public abstract PipeReader? Resuming { get; }

    /// <summary>The state that the device is in now: a save of PRE_COPY may cut itself short once it is STOP_COPY.</summary>
    public abstract MigrationState State { get; }

    /// <summary>Set when the session ends: by its last arc, a reset, a cancelled migration, a client that vanished.</summary>
    public abstract CancellationToken Ended { get; }
}
