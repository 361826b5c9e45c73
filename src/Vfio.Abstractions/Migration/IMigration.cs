namespace Vfio;

/// <summary>
/// How a variant migrates: it carries out arcs, and writes and reads its data stream. Whoever calls it (<see cref="IMigrationOps"/>, which
/// the core makes of this) owns the state, walks the path, and keeps steps apart from each other and from resets.
/// </summary>
/// <remarks>
/// Steps do not overlap. <see cref="SaveAsync"/> and <see cref="LoadAsync"/> run beside them: a save that was begun in PRE_COPY may still
/// be writing when the step to STOP_COPY is made. Source: <c>struct vfio_migration_ops</c> and the variant drivers of Linux.
/// </remarks>
public interface IMigration
{
    /// <summary>What the device can do. Fixed while the device exists; without STOP_COPY it does not migrate at all.</summary>
    MigrationCapabilities Capabilities { get; }

    /// <summary>Carries out one arc.</summary>
    /// <param name="arc">An arc that the capabilities allow.</param>
    /// <param name="session">The session that the arc begins, goes on with, or ends; null for an arc without one.</param>
    /// <param name="cancellationToken">Gives up; the device is then in the state that the arc started from.</param>
    /// <returns>
    /// Any errno: the device is in the state that the arc started from. ENOTRECOVERABLE: it is in none, and is ERROR until it is reset.
    /// </returns>
    /// <remarks>
    /// The arc that ends a saving session is made when its saves have ended. RESUMING to STOP is made when <see cref="LoadAsync"/> has
    /// returned success: a device that loads all at once loads here.
    /// </remarks>
    ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken);

    /// <summary>
    /// Writes to <see cref="MigrationSession.Saving"/> what is to be saved now: begun after the arc to PRE_COPY, again whenever the reader
    /// has all and <see cref="PrecopyInfo"/> says that there is more, and last after the arc to STOP_COPY. One at a time.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="phase"><see cref="MigrationState.PreCopy"/>, or <see cref="MigrationState.StopCopy"/> for the last of it.</param>
    /// <param name="cancellationToken">The session has ended: nobody reads any more.</param>
    /// <returns>Success: the end of this phase's data, which reads as ENOMSG and 0 in turn. Any errno: reads answer it.</returns>
    ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken);

    /// <summary>
    /// Reads <see cref="MigrationSession.Resuming"/> to its end, as the bytes arrive in pieces of any size; begun after the arc to
    /// RESUMING. The write that brings a byte waits until this has looked at it, so that what is refused here is refused there.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="cancellationToken">The session has ended.</param>
    /// <returns>Success: all of it is there and valid. Any errno: writes, and the arc to STOP, answer it.</returns>
    ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken);

    /// <summary>
    /// What PRE_COPY has still to write, not counting what is written and unread. Cheap, and changes nothing. Asked in PRE_COPY only.
    /// </summary>
    PrecopyInfo PrecopyInfo => default;

    /// <summary>How many bytes STOP_COPY would yield now. Answers in every state, and changes nothing.</summary>
    ulong StopCopySize { get; }

    /// <summary>
    /// The device has been reset and is RUNNING: what belongs to a session is dropped. Called with no step under way; must not block.
    /// </summary>
    void OnReset()
    {
    }
}
