namespace Vfio;

/// <summary>
/// A region cut down to its first bytes, over every way in: info, read, write and map. A slice may hide the control half of a BAR from the
/// guest.
/// </summary>
/// <param name="Size">The bytes that stay visible.</param>
public readonly record struct RegionSlice(ulong Size)
{
    /// <summary>The region's info, cut.</summary>
    /// <param name="whole">The whole region.</param>
    public RegionInfo Cut(RegionInfo whole)
    {
        var areas = whole.SparseAreas is { } sparse ? Cut(sparse) : null;
        var flags = areas is { Count: 0 } ? whole.Flags & ~RegionFlags.Mmap : whole.Flags;
        return whole with { Size = Math.Min(Size, whole.Size), Flags = flags, SparseAreas = areas is { Count: 0 } ? null : areas };
    }

    /// <summary>The region's mapping, cut.</summary>
    /// <param name="whole">The whole region's mapping.</param>
    /// <returns>The mapping; EINVAL if nothing of it is left.</returns>
    public VfioResult<RegionMapping> Cut(RegionMapping whole)
    {
        var areas = Cut(whole.Areas);
        return areas.Count == 0 ? Errno.EINVAL : whole with { Areas = areas };
    }

    /// <summary>How many bytes of an access lie in the slice.</summary>
    /// <param name="offset">The access's first byte.</param>
    /// <param name="count">Its length.</param>
    /// <returns>The bytes that may pass; EINVAL if the access starts behind the slice.</returns>
    public VfioResult<int> Clip(ulong offset, int count)
        => offset >= Size ? Errno.EINVAL : (int)Math.Min((ulong)count, Size - offset);

    private List<RegionArea> Cut(IReadOnlyList<RegionArea> areas)
    {
        var pageMask = (ulong)Environment.SystemPageSize - 1;
        var kept = new List<RegionArea>(areas.Count);
        foreach (var area in areas)
        {
            if (area.Offset >= Size)
                continue;
            var size = Math.Min(area.Size, Size - area.Offset) & ~pageMask;
            if (size != 0)
                kept.Add(area with { Size = size });
        }

        return kept;
    }
}
