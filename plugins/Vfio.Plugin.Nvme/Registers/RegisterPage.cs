namespace Vfio.Plugin.Nvme.Registers;

/// <summary>
/// Keeps the controller registers out of what a client may map, so that every access to them is seen; the doorbells stay mappable.
/// </summary>
internal static class RegisterPage
{
    private static readonly ulong FirstMappable =
        (ControllerRegisters.DoorbellOffset + (ulong)Environment.SystemPageSize - 1) & ~((ulong)Environment.SystemPageSize - 1);

    public static RegionInfo Trap(RegionInfo whole)
    {
        if (!whole.Flags.HasFlag(RegionFlags.Mmap))
            return whole;
        var areas = Behind(whole.SparseAreas ?? [new(0, whole.Size)]);
        return areas.Count > 0
            ? whole with { SparseAreas = areas }
            : whole with { SparseAreas = null, Flags = whole.Flags & ~RegionFlags.Mmap };
    }

    public static VfioResult<RegionMapping> Trap(RegionMapping whole)
    {
        var areas = Behind(whole.Areas);
        return areas.Count > 0 ? whole with { Areas = areas } : Errno.EINVAL;
    }

    private static List<RegionArea> Behind(IReadOnlyList<RegionArea> areas)
    {
        var kept = new List<RegionArea>(areas.Count);
        foreach (var area in areas)
        {
            var skip = area.Offset < FirstMappable ? FirstMappable - area.Offset : 0;
            if (skip < area.Size)
                kept.Add(new(area.Offset + skip, area.Size - skip));
        }

        return kept;
    }
}
