using Vfio;

namespace SharedPages;

/// <summary>
/// The first and the second range of a client's memory, in the order in which it mapped them; one that goes leaves its place to the next
/// that comes. Thread-safe.
/// </summary>
internal sealed class FirstRegions : IDmaObserver
{
    private readonly Lock _changing = new();
    private readonly List<DmaMap?> _places = [];

    /// <summary>Where a range begins.</summary>
    /// <param name="place">0 or 1.</param>
    /// <returns>The address; null if there is no such range.</returns>
    public ulong? this[int place]
    {
        get
        {
            lock (_changing)
                return place < _places.Count ? _places[place]?.Iova : null;
        }
    }

    public VfioResult OnMapped(DmaMap map)
    {
        lock (_changing)
        {
            var free = _places.IndexOf(null);
            if (free < 0)
                _places.Add(map);
            else
                _places[free] = map;
        }

        return VfioResult.Success;
    }

    public void OnUnmapping(DmaMap map)
    {
        lock (_changing)
        {
            var place = _places.IndexOf(map);
            if (place >= 0)
                _places[place] = null;
        }
    }

    /// <summary>The client is gone, and its memory with it.</summary>
    public void Clear()
    {
        lock (_changing)
            _places.Clear();
    }
}
