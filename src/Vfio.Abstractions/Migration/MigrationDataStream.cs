namespace Vfio;

/// <summary>
/// The data stream of a migration, as those hold it who move it: the kernel's <c>data_fd</c>. It saves or it resumes. One call at a time.
/// </summary>
public abstract class MigrationDataStream : IAsyncDisposable
{
    /// <summary>Whether it is read from; it is written to otherwise.</summary>
    public abstract bool IsSaving { get; }

    /// <summary>Reads some bytes, waiting for the first.</summary>
    /// <param name="destination">Receives them; not empty.</param>
    /// <param name="cancellationToken">Gives up waiting; nothing is lost.</param>
    /// <returns>
    /// How many, fewer than there was room for only where no more are there; 0: the end of STOP_COPY's data. ENOMSG: the end of what
    /// PRE_COPY has now. ENODEV: the session has ended. EBADF: it is written to. Any other errno: the device could not save.
    /// </returns>
    public abstract ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Writes all of some bytes, waiting until the device has looked at them.</summary>
    /// <param name="source">The bytes.</param>
    /// <param name="cancellationToken">Gives up waiting; the session can then only be ended.</param>
    /// <returns>ENODEV: the session has ended. EBADF: it is read from. Any other errno: the device refuses the data.</returns>
    public abstract ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken);

    /// <summary>What there is still to read in PRE_COPY (VFIO_MIG_GET_PRECOPY_INFO).</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>EINVAL: the device is in neither PRE_COPY state. ENODEV: the session has ended. ENOTTY: it cannot be asked this.</returns>
    public abstract ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken);

    /// <summary>Gives the stream up. The state of the device does not change by it.</summary>
    public abstract ValueTask DisposeAsync();
}
