namespace Vfio.Core;

/// <summary>
/// Moves devices away: the source's side. It goes with a <see cref="MigrationDestination"/>, or writes a file. Used once.
/// </summary>
/// <remarks>
/// The source is in RUNNING whenever it could not finish, and in STOP before the destination is told to run: there are never two running
/// copies. A device is never reset. Source of the order: the kernel's vfio uAPI (RUNNING, PRE_COPY, PRE_COPY_P2P, STOP_COPY).
/// </remarks>
public sealed class MigrationSource
{
    /// <summary>Creates a source.</summary>
    /// <param name="devices">The devices, all in RUNNING; several move as a set.</param>
    /// <param name="options">How; null for what the options begin with.</param>
    /// <exception cref="VfioException">EINVAL: no device, too many, two of one name, or options out of range.</exception>
    public MigrationSource(IReadOnlyList<MigratingDevice> devices, MigrationSourceOptions? options = null) => throw new NotImplementedException();

    /// <summary>Moves the devices over a connection to a destination.</summary>
    /// <param name="connection">A two-way stream, which stays the caller's to close; good for nothing else afterwards.</param>
    /// <param name="cancellationToken">
    /// Gives up: the devices are RUNNING again when this throws. Not heeded any more once the destination has been told to run.
    /// </param>
    /// <exception cref="MigrationFailedException">It failed; <see cref="MigrationFailedException.Outcome"/> says who may run.</exception>
    /// <exception cref="OperationCanceledException">It was given up; the devices are RUNNING.</exception>
    public Task<MigrationSummary> SendAsync(Stream connection, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Saves the devices into a file, and leaves them in STOP.</summary>
    /// <param name="file">Where to write.</param>
    /// <param name="publish">
    /// Called when all is written and the devices are in STOP: makes the file last and gives it its name. If it throws, the devices run again.
    /// </param>
    /// <param name="cancellationToken">Gives up: the devices are RUNNING again when this throws.</param>
    /// <exception cref="MigrationFailedException">It failed; <see cref="MigrationFailedException.Outcome"/> says who may run.</exception>
    /// <exception cref="OperationCanceledException">It was given up; the devices are RUNNING.</exception>
    public Task<MigrationSummary> SaveAsync(
        Stream file, Func<CancellationToken, ValueTask>? publish, CancellationToken cancellationToken) => throw new NotImplementedException();
}
