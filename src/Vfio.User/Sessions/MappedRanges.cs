namespace Vfio.User.Sessions;

/// <summary>What a client has mapped, as ranges that can be logged.</summary>
internal static class MappedRanges
{
    /// <summary>Covers all maps of a space with few ranges: the widest gaps stay open.</summary>
    /// <param name="space">The space.</param>
    /// <param name="pageSize">What addresses and lengths are to be multiples of, a power of two.</param>
    /// <param name="limit">How many ranges there may be, at least 1.</param>
    /// <returns>At least one range, in order; none reaches 2^64, so a map of the last page is not covered.</returns>
    public static IovaRange[] Of(DmaSpace space, ulong pageSize, int limit)
    {
        var maps = new Maps();
        space.Observe(maps)?.Dispose();
        var runs = Runs([.. maps.Found.OrderBy(map => map.Iova)], pageSize);
        if (runs.Count == 0)
            return [new(0, pageSize)];

        // Each gap that stays open begins another range.
        var open = Enumerable.Range(1, runs.Count - 1).OrderByDescending(i => runs[i].First - runs[i - 1].Last).Take(limit - 1).Order();
        var covering = new List<IovaRange>();
        var from = 0;
        foreach (var next in open.Append(runs.Count))
        {
            covering.Add(new(runs[from].First, runs[next - 1].Last - runs[from].First + 1));
            from = next;
        }

        return [.. covering];
    }

    // Whole pages, first to last, those that touch as one.
    private static List<(ulong First, ulong Last)> Runs(IEnumerable<DmaMap> maps, ulong pageSize)
    {
        var runs = new List<(ulong First, ulong Last)>();
        var highest = 0 - pageSize - 1;
        foreach (var map in maps)
        {
            var (first, last) = (map.Iova & ~(pageSize - 1), Math.Min(map.Last | (pageSize - 1), highest));
            if (first > last)
                continue;
            if (runs.Count != 0 && first <= runs[^1].Last + 1)
                runs[^1] = (runs[^1].First, Math.Max(runs[^1].Last, last));
            else
                runs.Add((first, last));
        }

        return runs;
    }

    private sealed class Maps : IDmaObserver
    {
        public List<DmaMap> Found { get; } = [];

        public VfioResult OnMapped(DmaMap map)
        {
            Found.Add(map);
            return VfioResult.Success;
        }

        public void OnUnmapping(DmaMap map)
        {
        }
    }
}
