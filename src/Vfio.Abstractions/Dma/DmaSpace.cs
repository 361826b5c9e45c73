namespace Vfio;

/// <summary>
/// A DMA space over a table of maps that map and unmap replace as a whole, so that lookups take no lock. What front ends build on.
/// Thread-safe.
/// </summary>
public class DmaSpace : IDmaSpace
{
    private readonly Lock _changing = new();
    private volatile DmaMap[] _maps = [];

    /// <summary>How many ranges are mapped.</summary>
    public int Count => _maps.Length;

    /// <summary>Maps a range.</summary>
    /// <param name="map">The range; the space owns it once this has succeeded.</param>
    /// <returns>EEXIST: it overlaps another.</returns>
    public VfioResult Map(DmaMap map)
    {
        lock (_changing)
        {
            var maps = _maps;
            var at = FirstEndingAtOrAfter(maps, map.Iova);
            if (at < maps.Length && maps[at].Iova <= map.Last)
                return Errno.EEXIST;
            var grown = new DmaMap[maps.Length + 1];
            maps.AsSpan(0, at).CopyTo(grown);
            grown[at] = map;
            maps.AsSpan(at).CopyTo(grown.AsSpan(at + 1));
            _maps = grown;
        }

        return VfioResult.Success;
    }

    /// <summary>Unmaps every range that lies inside an address range, as type1 v2 does; returns once nobody uses any of them.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="last">Last address.</param>
    /// <returns>The bytes unmapped, 0 where nothing was mapped; EINVAL: the range cuts a map in two, and nothing was unmapped.</returns>
    public VfioResult<ulong> Unmap(ulong iova, ulong last)
    {
        DmaMap[] removed;
        lock (_changing)
        {
            var maps = _maps;
            var from = FirstEndingAtOrAfter(maps, iova);
            var to = from;
            while (to < maps.Length && maps[to].Iova <= last)
                to++;
            if (from == to)
                return 0ul;
            if (maps[from].Iova < iova || maps[to - 1].Last > last)
                return Errno.EINVAL;
            removed = maps[from..to];
            _maps = [.. maps.AsSpan(0, from), .. maps.AsSpan(to)];
        }

        var bytes = 0ul;
        foreach (var map in removed)
        {
            map.Unmap();
            bytes += map.Size;
        }

        return bytes;
    }

    /// <summary>Unmaps everything.</summary>
    public void UnmapAll()
    {
        // The whole range cannot cut a map in two.
        _ = Unmap(0, ulong.MaxValue);
    }

    /// <summary>The map that holds an address.</summary>
    /// <param name="iova">The address.</param>
    /// <returns>The map; null if the address is not mapped.</returns>
    public DmaMap? Find(ulong iova)
    {
        var maps = _maps;
        var at = FirstEndingAtOrAfter(maps, iova);
        return at < maps.Length && maps[at].Iova <= iova ? maps[at] : null;
    }

    /// <inheritdoc/>
    public bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
    {
        segment = default;
        if (length is 0 or > int.MaxValue || Find(iova) is not { IsDirect: true } map || (access & ~map.Access) != 0
            || length - 1 > map.Last - iova || !map.TryHold())
        {
            return false;
        }

        segment = map.Segment(iova, (int)length, access);
        return true;
    }

    /// <inheritdoc/>
    public VfioResult Read(ulong iova, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            if (!TryHold(iova, destination.Length, DmaAccess.Read, out var map, out var count))
                return Errno.EFAULT;
            try
            {
                var result = map.Read(iova, destination[..count]);
                if (!result.IsSuccess)
                    return result;
            }
            finally
            {
                map.Release();
            }

            destination = destination[count..];
            iova += (ulong)count;
        }

        return VfioResult.Success;
    }

    /// <inheritdoc/>
    public VfioResult Write(ulong iova, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            if (!TryHold(iova, source.Length, DmaAccess.Write, out var map, out var count))
                return Errno.EFAULT;
            try
            {
                var result = map.Write(iova, source[..count]);
                if (!result.IsSuccess)
                    return result;
            }
            finally
            {
                map.Release();
            }

            source = source[count..];
            iova += (ulong)count;
        }

        return VfioResult.Success;
    }

    /// <inheritdoc/>
    public virtual void CancelTransfers()
    {
    }

    private bool TryHold(ulong iova, int wanted, DmaAccess access, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out DmaMap? map, out int count)
    {
        count = 0;
        map = Find(iova);
        if (map is null || (access & ~map.Access) != 0 || !map.TryHold())
            return false;
        var left = map.Last - iova;
        count = left >= (ulong)wanted ? wanted : (int)left + 1;
        return true;
    }

    // The first map whose last address is not below the given one: the only one that can hold it.
    private static int FirstEndingAtOrAfter(DmaMap[] maps, ulong iova)
    {
        int low = 0, high = maps.Length;
        while (low < high)
        {
            var middle = (int)(((uint)low + (uint)high) >> 1);
            if (maps[middle].Last < iova)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
