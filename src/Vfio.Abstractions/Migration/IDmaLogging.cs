namespace Vfio;

/// <summary>How a device logs the memory that it writes. Source: <c>struct vfio_log_ops</c>. Thread-safe.</summary>
/// <remarks>
/// A device implements it without checks: the core makes them, in front of every log (<see cref="IovaRanges"/>). It neither starts nor
/// stops with the migration state or a reset; the core stops it when the device is closed.
/// </remarks>
public interface IDmaLogging
{
    /// <summary>Begins to log.</summary>
    /// <param name="ranges">
    /// What to log, in the order of their addresses: 1 to 256, none empty or overlapping another, every address and length a multiple of
    /// the page size. <see cref="IovaRanges.Combine"/> makes fewer of them, for a tracker that takes few.
    /// </param>
    /// <param name="pageSize">The granularity wished for, a power of two; receives the one that is used.</param>
    /// <returns>EINVAL: it is logging. EOPNOTSUPP: not these ranges.</returns>
    VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize);

    /// <summary>Ends logging; success if it was not logging.</summary>
    VfioResult Stop();

    /// <summary>Sets a bit for each page that was written since the last report, and forgets them.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="pageSize">Bytes that one bit stands for, a power of two; need not be the granularity of the log.</param>
    /// <param name="bitmap">One bit a page, from bit 0 of word 0; bits are only ever set.</param>
    /// <returns>EINVAL: it is not logging. Any other errno: all of the range must be taken for written.</returns>
    VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap);
}

/// <summary>A range of I/O virtual addresses.</summary>
/// <param name="Iova">First address.</param>
/// <param name="Length">Bytes; the end does not wrap.</param>
public readonly record struct IovaRange(ulong Iova, ulong Length);
