namespace Vfio.User.Dma;

/// <summary>What a client has mapped, as the ranges of a log. Thread-safe.</summary>
internal static class MappedRanges
{
    /// <summary>Ranges that cover maps: as few as there may be, with the smallest gaps covered too where there would be more.</summary>
    /// <param name="maps">In the order of their addresses.</param>
    /// <param name="limit">How many ranges there may be, at least 1.</param>
    /// <returns>Ranges in order; none that ends at 2^64: the last page of all cannot be logged.</returns>
    public static IovaRange[] Of(ReadOnlySpan<DmaMap> maps, int limit)
    {
        var ranges = new List<IovaRange>();
        foreach (var map in maps)
            Append(ranges, map);
        if (ranges.Count <= limit)
            return [.. ranges];

        // One sort: a client with a virtual IOMMU has too many maps to look at all of them for each range that goes.
        var gaps = new ulong[ranges.Count - 1];
        for (var i = 0; i < gaps.Length; i++)
            gaps[i] = ranges[i + 1].Iova - ranges[i].Iova - ranges[i].Length;
        var kept = Enumerable.Range(0, gaps.Length).OrderByDescending(i => gaps[i]).Take(limit - 1).Order().Append(gaps.Length);
        var combined = new List<IovaRange>();
        var first = 0;
        foreach (var last in kept)
        {
            var start = ranges[first].Iova;
            combined.Add(new(start, ranges[last].Iova - start + ranges[last].Length));
            first = last + 1;
        }

        return [.. combined];
    }

    private static void Append(List<IovaRange> ranges, DmaMap map)
    {
        var size = map.Last == ulong.MaxValue ? map.Size - Wire.Limits.PageSize : map.Size;
        if (size == 0)
            return;
        if (ranges.Count > 0 && ranges[^1] is var last && last.Iova + last.Length == map.Iova)
            ranges[^1] = last with { Length = last.Length + size };
        else
            ranges.Add(new(map.Iova, size));
    }
}
