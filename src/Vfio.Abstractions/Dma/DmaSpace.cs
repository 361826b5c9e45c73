using System.Runtime.ExceptionServices;

namespace Vfio;

/// <summary>
/// A DMA space over a table of maps. Lookups take no lock and allocate nothing; a change costs about as much with 65,535 maps as with a
/// few hundred. What front ends build on. Thread-safe.
/// </summary>
public partial class DmaSpace : IDmaSpace
{
    private readonly Lock _changing = new();
    private readonly DmaTable _maps = new();
    private readonly DmaObservers _observers = new();

    /// <summary>How many ranges are mapped.</summary>
    public int Count => _maps.Count;

    internal int ChunkCount => _maps.ChunkCount;

    /// <summary>Maps a range. Waits for observers, and with them for other changes; lookups wait for neither.</summary>
    /// <param name="map">The range; the space owns it once this has succeeded.</param>
    /// <returns>EEXIST: it overlaps another, or has been mapped before. Any errno of an observer: it was mapped for a moment, and cannot be mapped again.</returns>
    public VfioResult Map(DmaMap map)
    {
        ThrowIfObserving();
        VfioResult told;
        ExceptionDispatchInfo? fault;
        lock (_changing)
        {
            if (map.Space is not null)
                return Errno.EEXIST;
            // Before a lookup can find it: its segments are noted in the space's logs.
            map.Space = this;
            if (!_maps.TryAdd(map))
            {
                map.Space = null;
                return Errno.EEXIST;
            }

            told = _observers.Mapped(map, out fault);
            if (told.IsSuccess && fault is null)
                return told;
            _ = _maps.TryRemove(map.Iova, map.Last, out _);
        }

        map.WaitUnused();
        fault?.Throw();
        return told;
    }

    /// <summary>
    /// Unmaps every range that lies inside an address range, as type1 v2 does; returns once nobody uses any of them, nor anybody behind an
    /// observer.
    /// </summary>
    /// <param name="iova">First address.</param>
    /// <param name="last">Last address.</param>
    /// <returns>The bytes unmapped, 0 where nothing was mapped; EINVAL: the range cuts a map in two, and nothing was unmapped.</returns>
    public VfioResult<ulong> Unmap(ulong iova, ulong last)
    {
        ThrowIfObserving();
        DmaMap[] removed;
        ExceptionDispatchInfo? fault = null;
        lock (_changing)
        {
            if (!_maps.TryRemove(iova, last, out removed))
                return Errno.EINVAL;
            foreach (var map in removed)
            {
                // Transfers of the range end first: whoever is behind an observer may be waiting for one of them.
                map.End();
                _observers.Unmapping(map, ref fault);
            }
        }

        var bytes = 0ul;
        foreach (var map in removed)
        {
            map.GiveBack();
            bytes += map.Size;
        }

        fault?.Throw();
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
    public DmaMap? Find(ulong iova) => _maps.Find(iova);

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
                // One that failed may have written some of it.
                NoteWritten(iova, (ulong)count);
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

    /// <inheritdoc/>
    public IDisposable? Observe(IDmaObserver observer)
    {
        lock (_changing)
        {
            foreach (var map in _maps.ToArray())
            {
                if (observer.OnMapped(map) is { IsSuccess: false } refused)
                    throw new VfioException(refused.Error, $"who follows a DMA space cannot have what is mapped at {map.Iova:x} ({refused.Error})");
            }

            _observers.Add(observer);
        }

        return new Following(this, observer);
    }

    /// <inheritdoc/>
    public virtual IDmaSpace? ByMessage => null;

    /// <summary>Holds the map that the first bytes of a transfer lie in, until <see cref="Release"/>.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="wanted">Bytes, at least 1.</param>
    /// <param name="access">What the device does with them.</param>
    /// <param name="map">The map.</param>
    /// <param name="count">How many of the bytes lie in it.</param>
    /// <returns>False: the first address is not mapped with that access, or the range wraps.</returns>
    protected bool TryHold(
        ulong iova, int wanted, DmaAccess access, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out DmaMap? map, out int count)
    {
        count = 0;
        map = null;
        // What reaches over the last address does not go on at the first.
        if ((ulong)(wanted - 1) > ulong.MaxValue - iova)
            return false;
        map = Find(iova);
        if (map is null || (access & ~map.Access) != 0 || !map.TryHold())
            return false;
        var left = map.Last - iova;
        count = left >= (ulong)wanted ? wanted : (int)left + 1;
        return true;
    }

    /// <summary>Lets go of a map that <see cref="TryHold"/> held.</summary>
    /// <param name="map">The map.</param>
    protected static void Release(DmaMap map) => map.Release();

    // An observer's change inside a change would be told out of order, and wait for holders under the lock.
    private void ThrowIfObserving()
    {
        if (_changing.IsHeldByCurrentThread)
            throw new InvalidOperationException("an observer changes nothing in the space that it is told of");
    }

    private sealed class Following(DmaSpace space, IDmaObserver observer) : IDisposable
    {
        public void Dispose()
        {
            lock (space._changing)
                space._observers.Remove(observer);
        }
    }
}
