using System.Runtime.ExceptionServices;

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
    /// <param name="map">The map.</param>
    /// <param name="fault">What an observer threw, which then cannot have it.</param>
    /// <returns>The errno of the first that cannot have it; the map is then ended, and those that were told before know.</returns>
    public VfioResult Mapped(DmaMap map, out ExceptionDispatchInfo? fault)
    {
        fault = null;
        var observers = _observers;
        for (var i = 0; i < observers.Length; i++)
        {
            var told = VfioResult.Success;
            try
            {
                told = observers[i].OnMapped(map);
            }
            catch (Exception thrown)
            {
                fault = ExceptionDispatchInfo.Capture(thrown);
            }

            if (told.IsSuccess && fault is null)
                continue;
            map.End();
            Unmapping(observers.AsSpan(0, i), map, ref fault);
            return told;
        }

        return VfioResult.Success;
    }

    /// <summary>Tells all that a map has ended.</summary>
    /// <param name="map">The map.</param>
    /// <param name="fault">Receives what the first observer threw, if there is nothing in it: the others are told all the same.</param>
    public void Unmapping(DmaMap map, ref ExceptionDispatchInfo? fault) => Unmapping(_observers, map, ref fault);

    private static void Unmapping(ReadOnlySpan<IDmaObserver> observers, DmaMap map, ref ExceptionDispatchInfo? fault)
    {
        foreach (var observer in observers)
        {
            try
            {
                observer.OnUnmapping(map);
            }
            catch (Exception thrown)
            {
                fault ??= ExceptionDispatchInfo.Capture(thrown);
            }
        }
    }
}
