namespace Vfio;

/// <summary>
/// Maps in the order of their addresses, none overlapping another: an array of chunks, each an array of maps. Nothing in them changes once
/// they are published: a change copies one chunk and the outer array, and publishes both by one write. Lookups are thread-safe and take no
/// lock; changes are made by one caller at a time.
/// </summary>
/// <remarks>
/// A lookup compares addresses that lie next to each other, and follows a reference per array and one to the map. A change copies a chunk
/// or two and one entry for each chunk there is: two neighbours together always hold more than half of <see cref="ChunkCapacity"/>.
/// </remarks>
internal sealed class DmaTable
{
    /// <summary>
    /// The most maps of a chunk. With as many maps as a client may have (1,048,576), put in in any order, the array of chunks stays below
    /// 85,000 bytes: a larger one is a large object, and each of those that a change leaves behind brings a collection of everything nearer.
    /// </summary>
    public const int ChunkCapacity = 512;

    private volatile Entry<Entry<DmaMap>[]>[] _chunks = [];
    private volatile int _count;

    /// <summary>How many maps there are.</summary>
    public int Count => _count;

    /// <summary>How many chunks they are in.</summary>
    public int ChunkCount => _chunks.Length;

    /// <summary>The map that holds an address.</summary>
    /// <param name="iova">The address.</param>
    /// <returns>The map; null if there is none.</returns>
    public DmaMap? Find(ulong iova)
    {
        var chunks = _chunks;
        var chunk = FirstEndingAtOrAfter(chunks, iova);
        if (chunk >= chunks.Length)
            return null;
        // The last map of a chunk is where the chunk ends: there is one that ends at or after the address.
        var maps = chunks[chunk].Item;
        var map = maps[FirstEndingAtOrAfter(maps, iova)].Item;
        return map.Iova <= iova ? map : null;
    }

    /// <summary>All maps, in the order of their addresses.</summary>
    public DmaMap[] ToArray()
    {
        var chunks = _chunks;
        return chunks.Length == 0 ? [] : Copy(chunks, 0, 0, chunks.Length - 1, chunks[^1].Item.Length);
    }

    /// <summary>Puts a map in its place.</summary>
    /// <param name="map">The map.</param>
    /// <returns>False if it overlaps another: nothing has changed.</returns>
    public bool TryAdd(DmaMap map)
    {
        var chunks = _chunks;
        var entry = new Entry<DmaMap>(map.Last, map);
        if (chunks.Length == 0)
        {
            Publish([Chunk([entry])], 1);
            return true;
        }

        var chunk = FirstEndingAtOrAfter(chunks, map.Iova);
        if (chunk == chunks.Length)
        {
            Append(chunks, chunk - 1, entry);
            return true;
        }

        var maps = chunks[chunk].Item;
        var at = FirstEndingAtOrAfter(maps, map.Iova);
        if (maps[at].Item.Iova <= map.Last)
            return false;
        if (maps.Length < ChunkCapacity || at != 0)
            Replace(chunks, chunk, chunk + 1, Splice(maps, at, 0, [entry]), 1);
        else if (chunk != 0)
            Append(chunks, chunk - 1, entry);
        else
            Publish(Splice(chunks, 0, 0, [Chunk([entry])]), 1);
        return true;
    }

    /// <summary>Takes out the maps of an address range.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="last">Last address.</param>
    /// <param name="removed">Receives them, in order; none where nothing is mapped.</param>
    /// <returns>False if the range cuts a map in two: nothing has changed.</returns>
    public bool TryRemove(ulong iova, ulong last, out DmaMap[] removed)
    {
        removed = [];
        var chunks = _chunks;
        var (chunk, at) = Position(chunks, iova);
        if (chunk == chunks.Length || chunks[chunk].Item[at].Item.Iova > last)
            return true;
        if (chunks[chunk].Item[at].Item.Iova < iova)
            return false;
        var (endChunk, end) = Position(chunks, last);
        // Of the maps that end in the range or behind it, only one that ends with it lies inside; one that begins in it would be cut.
        if (endChunk < chunks.Length && chunks[endChunk].Item[end].Item.Iova <= last)
        {
            if (chunks[endChunk].Item[end].Last != last)
                return false;
            end++;
        }

        if (end == 0)
            end = chunks[--endChunk].Item.Length;
        removed = Copy(chunks, chunk, at, endChunk, end);
        Replace(chunks, chunk, endChunk + 1, [.. chunks[chunk].Item.AsSpan(0, at), .. chunks[endChunk].Item.AsSpan(end)], -removed.Length);
        return true;
    }

    private static DmaMap[] Copy(Entry<Entry<DmaMap>[]>[] chunks, int chunk, int at, int endChunk, int end)
    {
        var count = end - at;
        for (var i = chunk; i < endChunk; i++)
            count += chunks[i].Item.Length;
        var copy = new DmaMap[count];
        for (var i = 0; i < count; i++)
        {
            if (at == chunks[chunk].Item.Length)
                (chunk, at) = (chunk + 1, 0);
            copy[i] = chunks[chunk].Item[at++].Item;
        }

        return copy;
    }

    // What is left of chunks is put together with their neighbours where that is little, and divided where it is too much: chunks stay few.
    private void Replace(Entry<Entry<DmaMap>[]>[] chunks, int from, int to, Entry<DmaMap>[] left, int more)
    {
        const int Together = ChunkCapacity / 2;
        if (from > 0 && left.Length + chunks[from - 1].Item.Length <= Together)
            left = [.. chunks[--from].Item, .. left];
        if (to < chunks.Length && left.Length + chunks[to].Item.Length <= Together)
            left = [.. left, .. chunks[to++].Item];
        var half = left.Length / 2;
        Publish(
            Splice(chunks, from, to - from, left.Length switch
            {
                0 => [],
                <= ChunkCapacity => [Chunk(left)],
                _ => [Chunk(left[..half]), Chunk(left[half..])],
            }),
            more);
    }

    // Behind the maps of a chunk; where it is full in a chunk of its own, so that addresses that grow leave full chunks behind.
    private void Append(Entry<Entry<DmaMap>[]>[] chunks, int chunk, in Entry<DmaMap> entry)
    {
        var maps = chunks[chunk].Item;
        Publish(
            maps.Length < ChunkCapacity
                ? Splice(chunks, chunk, 1, [Chunk(Splice(maps, maps.Length, 0, [entry]))])
                : Splice(chunks, chunk + 1, 0, [Chunk([entry])]),
            1);
    }

    private void Publish(Entry<Entry<DmaMap>[]>[] chunks, int more)
    {
        _chunks = chunks;
        _count += more;
    }

    private static Entry<Entry<DmaMap>[]> Chunk(Entry<DmaMap>[] maps) => new(maps[^1].Last, maps);

    private static Entry<T>[] Splice<T>(Entry<T>[] items, int at, int without, ReadOnlySpan<Entry<T>> with)
        => [.. items.AsSpan(0, at), .. with, .. items.AsSpan(at + without)];

    private static (int Chunk, int At) Position(Entry<Entry<DmaMap>[]>[] chunks, ulong iova)
    {
        var chunk = FirstEndingAtOrAfter(chunks, iova);
        return (chunk, chunk < chunks.Length ? FirstEndingAtOrAfter(chunks[chunk].Item, iova) : 0);
    }

    // The first item whose last address is not below the given one: the only one that can hold it.
    private static int FirstEndingAtOrAfter<T>(Entry<T>[] items, ulong iova)
    {
        int low = 0, high = items.Length;
        while (low < high)
        {
            var middle = (int)(((uint)low + (uint)high) >> 1);
            if (items[middle].Last < iova)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    /// <summary>A map, or a chunk of them, beside the last address of it.</summary>
    private readonly struct Entry<T>(ulong last, T item)
    {
        public readonly ulong Last = last;
        public readonly T Item = item;
    }
}
