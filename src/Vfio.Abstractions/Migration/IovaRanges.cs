namespace Vfio;

/// <summary>Arithmetic on ranges of I/O virtual addresses, for trackers that take few of them.</summary>
public static class IovaRanges
{
    /// <summary>
    /// Combines ranges until there are no more than a limit: those with the smallest gap between them first, the lower of two equal ones.
    /// Source: the kernel's <c>vfio_combine_iova_ranges</c>.
    /// </summary>
    /// <param name="ranges">None overlapping another; in any order.</param>
    /// <param name="limit">How many there may be, at least 1.</param>
    /// <returns>The ranges in order, which cover the given ones, and the gaps that had to go.</returns>
    public static IovaRange[] Combine(ReadOnlySpan<IovaRange> ranges, int limit) => throw new NotImplementedException();
}
