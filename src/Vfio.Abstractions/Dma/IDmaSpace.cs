namespace Vfio;

/// <summary>
/// The memory that a function's DMA reaches: what the client has mapped, by I/O virtual address. Thread-safe; lookups take no lock.
/// </summary>
public interface IDmaSpace
{
    /// <summary>Takes hold of memory that is mapped into this process, without copying.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="length">Bytes; the range must lie inside one map.</param>
    /// <param name="access">What the device will do with it; a write is noted in the dirty log when the segment is released.</param>
    /// <param name="segment">The memory. Release it soon: an unmap of the range waits for that.</param>
    /// <returns>
    /// False if the range is not mapped with that access, crosses maps, or can only be reached by messages: use the copying calls.
    /// </returns>
    bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment);

    /// <summary>The device reads guest memory, across maps, by message where there is no other way. May block on the client.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="destination">Receives the bytes.</param>
    /// <returns>EFAULT: an address is not mapped for reading. ECANCELED: the transfer was cancelled. Any errno of the client.</returns>
    VfioResult Read(ulong iova, Span<byte> destination);

    /// <summary>The device writes guest memory, across maps, by message where there is no other way. May block on the client.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="source">The bytes.</param>
    /// <returns>EFAULT: an address is not mapped for writing. ECANCELED: the transfer was cancelled. Any errno of the client.</returns>
    VfioResult Write(ulong iova, ReadOnlySpan<byte> source);

    /// <summary>
    /// Fails every transfer that now waits for the other side with ECANCELED. A function that is reset calls this before it waits for its
    /// own work to end, because the other side may be waiting for the reset.
    /// </summary>
    void CancelTransfers();

    /// <summary>
    /// Notes a write that was made some other way than by the calls above, or through a segment that is kept for long: in the dirty log, if
    /// one runs.
    /// </summary>
    /// <param name="iova">First address.</param>
    /// <param name="length">Bytes.</param>
    void MarkWritten(ulong iova, ulong length)
    {
    }

    /// <summary>The log of what is written through this space; null if it keeps none.</summary>
    IDmaLogging? WriteLog => null;

    /// <summary>
    /// The same memory, reached by messages to its owner also where this process could reach it itself; null: nobody takes messages. What
    /// is written this way the owner writes itself; it is in the log of this space all the same.
    /// </summary>
    IDmaSpace? ByMessage => null;

    /// <summary>
    /// A log for one of several devices that share the space: it starts and stops by itself, and has what any of them writes.
    /// </summary>
    /// <returns>A new one; null if the space keeps none.</returns>
    IDmaLogging? CreateWriteLog() => WriteLog;

    /// <summary>Follows what is mapped, from now on; what is mapped already is told before this returns.</summary>
    /// <param name="observer">Who is told.</param>
    /// <returns>
    /// Ends the following, once a call that is under way has returned: <see cref="IDmaObserver.OnUnmapping"/> is not called for what is
    /// still mapped. Null: the space cannot tell.
    /// </returns>
    /// <exception cref="VfioException">
    /// What is mapped already cannot be had: the errno of the observer, who is not told of any more.
    /// </exception>
    IDisposable? Observe(IDmaObserver observer) => null;
}

/// <summary>What a device does with memory.</summary>
[Flags]
public enum DmaAccess
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Reads it.</summary>
    Read = 1,

    /// <summary>Writes it.</summary>
    Write = 2,
}
