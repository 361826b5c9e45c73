namespace Vfio;

/// <summary>
/// Who follows a DMA space. Used under the space's lock, so that calls come one at a time and in the order of the changes.
/// </summary>
internal sealed class DmaObservers
{
    private IDmaObserver[] _observers = [];

    public void Add(IDmaObserver observer) => _observers = [.. _observers, observer];

    public void Remove(IDmaObserver observer)
    {
        var at = Array.IndexOf(_observers, observer);
        if (at >= 0)
            _observers = [.. _observers[..at], .. _observers[(at + 1)..]];
    }

    /// <summary>Tells all of a map.</summary>
    /// <returns>The errno of the first that cannot have it; the map is then ended, and those that were told before know.</returns>
    public VfioResult Mapped(DmaMap map)
    {
        var observers = _observers;
        for (var i = 0; i < observers.Length; i++)
        {
            var told = observers[i].OnMapped(map);
            if (told.IsSuccess)
                continue;
            map.End();
            while (--i >= 0)
                observers[i].OnUnmapping(map);
            return told;
        }

        return VfioResult.Success;
    }

    /// <summary>Tells all that a map has ended.</summary>
    public void Unmapping(DmaMap map)
    {
        foreach (var observer in _observers)
            observer.OnUnmapping(map);
    }
}
