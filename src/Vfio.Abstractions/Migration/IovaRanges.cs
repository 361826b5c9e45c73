using System.Numerics;

namespace Vfio;

/// <summary>What there is to check and to reckon about ranges of I/O virtual addresses. Thread-safe.</summary>
public static class IovaRanges
{
    /// <summary>The most ranges of one log: those that fit into a page, as the kernel has it.</summary>
    public const int Limit = 256;

    private const ulong SmallestPage = 4096;

    /// <summary>Checks what a log is to be started with.</summary>
    /// <param name="ranges">The ranges.</param>
    /// <param name="pageSize">The page size wished for.</param>
    /// <returns>
    /// EINVAL: no range; a page size that is no power of two; an empty range, one that is not of whole pages, or one that overlaps another.
    /// E2BIG: more than <see cref="Limit"/>. EOVERFLOW: a range that ends at 2^64 or wraps.
    /// </returns>
    /// <remarks>Source: <c>vfio_ioctl_device_feature_logging_start</c>, which leaves page size and empty ranges to the driver.</remarks>
    public static VfioResult Check(ReadOnlySpan<IovaRange> ranges, ulong pageSize)
    {
        if (ranges.IsEmpty)
            return Errno.EINVAL;
        if (ranges.Length > Limit)
            return Errno.E2BIG;
        if (!BitOperations.IsPow2(pageSize))
            return Errno.EINVAL;
        for (var i = 0; i < ranges.Length; i++)
        {
            var range = ranges[i];
            if (((range.Iova | range.Length) & (pageSize - 1)) != 0 || range.Length == 0)
                return Errno.EINVAL;
            if (range.Length > ulong.MaxValue - range.Iova)
                return Errno.EOVERFLOW;
            foreach (var other in ranges[..i])
            {
                if (range.Iova < other.Iova + other.Length && other.Iova < range.Iova + range.Length)
                    return Errno.EINVAL;
            }
        }

        return VfioResult.Success;
    }

    /// <summary>Checks what a report is asked for with.</summary>
    /// <param name="iova">First address; it need not be at the start of a page.</param>
    /// <param name="length">Bytes; the last page may be cut short.</param>
    /// <param name="pageSize">Bytes that one bit stands for.</param>
    /// <param name="words">How many words of 64 bits the bitmap has.</param>
    /// <returns>
    /// The pages. EINVAL: a page size below 4 KiB or that is no power of two; no byte; too few words. EOVERFLOW: the range ends at 2^64 or
    /// wraps.
    /// </returns>
    /// <remarks>Source: <c>vfio_ioctl_device_feature_logging_report</c>.</remarks>
    public static VfioResult<ulong> CheckReport(ulong iova, ulong length, ulong pageSize, int words)
    {
        if (pageSize < SmallestPage || !BitOperations.IsPow2(pageSize))
            return Errno.EINVAL;
        if (length > ulong.MaxValue - iova)
            return Errno.EOVERFLOW;
        if (length == 0)
            return Errno.EINVAL;
        var pages = ((length - 1) >> BitOperations.Log2(pageSize)) + 1;
        return (pages - 1) >> 6 < (ulong)words ? pages : Errno.EINVAL;
    }

    /// <summary>
    /// Combines ranges until there are no more than a limit, for a tracker that takes few: those with the smallest gap between them first,
    /// the lowest of equal ones; down to one, all of them from the first address to the last. Source: the kernel's
    /// <c>vfio_combine_iova_ranges</c>.
    /// </summary>
    /// <param name="ranges">In any order; none empty, wrapping or overlapping another.</param>
    /// <param name="limit">How many there may be, at least 1.</param>
    /// <returns>Ranges in order, which cover the given ones and the gaps that had to go.</returns>
    public static IovaRange[] Combine(ReadOnlySpan<IovaRange> ranges, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var combined = ranges.ToArray();
        Sort(combined);
        var count = combined.Length;
        while (count > limit)
        {
            var nearest = 1;
            for (var i = 2; i < count; i++)
            {
                if (Gap(combined, i) < Gap(combined, nearest))
                    nearest = i;
            }

            var before = combined[nearest - 1].Iova;
            combined[nearest - 1] = new(before, combined[nearest].Iova - before + combined[nearest].Length);
            combined.AsSpan(nearest + 1, count - nearest - 1).CopyTo(combined.AsSpan(nearest));
            count--;
        }

        return combined[..count];
    }

    private static ulong Gap(IovaRange[] ranges, int index) => ranges[index].Iova - ranges[index - 1].Iova - ranges[index - 1].Length;

    private static void Sort(Span<IovaRange> ranges) => ranges.Sort(static (a, b) => a.Iova.CompareTo(b.Iova));
}
