namespace Vfio.Core;

/// <summary>Takes devices over: the destination's side. It goes with a <see cref="MigrationSource"/>, or reads a file. Used once.</summary>
/// <remarks>
/// Its devices run only after the source has said that its own have stopped. Until then a failure leaves them where they are, RESUMING or
/// STOP, with what was loaded; the owner closes or resets them.
/// </remarks>
public sealed class MigrationDestination
{
    /// <summary>Creates a destination.</summary>
    /// <param name="devices">The devices, in the order of the source's, in RUNNING or STOP.</param>
    /// <param name="options">How; null for what the options begin with.</param>
    /// <exception cref="VfioException">EINVAL: no device, too many, or two of one name.</exception>
    public MigrationDestination(IReadOnlyList<MigratingDevice> devices, MigrationDestinationOptions? options = null) => throw new NotImplementedException();

    /// <summary>Takes the devices over from a source.</summary>
    /// <param name="connection">A two-way stream, which stays the caller's to close; good for nothing else afterwards.</param>
    /// <param name="cancellationToken">Gives up. Not heeded any more once the source has stopped.</param>
    /// <exception cref="MigrationFailedException">It failed; <see cref="MigrationFailedException.Outcome"/> says who may run.</exception>
    public Task<MigrationSummary> ReceiveAsync(Stream connection, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Takes the devices out of a file, and runs them.</summary>
    /// <param name="file">
    /// The file. One that can be read twice is checked as a whole before a device is touched; any other before one is asked to run.
    /// </param>
    /// <param name="cancellationToken">Gives up. Not heeded any more once all is loaded.</param>
    /// <exception cref="MigrationFailedException">It failed; <see cref="MigrationFailedException.Outcome"/> says who may run.</exception>
    public Task<MigrationSummary> RestoreAsync(Stream file, CancellationToken cancellationToken) => throw new NotImplementedException();
}
