namespace Vfio;

/// <summary>
/// Who follows what is mapped in a DMA space: a function whose hardware needs to know, or whose memory another process reaches.
/// </summary>
/// <remarks>
/// Calls for one space never overlap, and come in the order of the changes. They may block: other changes of the space wait, and lookups do
/// not. They change nothing in the space themselves.
/// </remarks>
public interface IDmaObserver
{
    /// <summary>A range is mapped; lookups find it from now on.</summary>
    /// <param name="map">The range.</param>
    /// <returns>Any errno: the range cannot be had, and is not mapped; the client is told.</returns>
    VfioResult OnMapped(DmaMap map);

    /// <summary>A range is being unmapped. When this has returned, nobody behind the observer uses it any more.</summary>
    /// <remarks>
    /// Lookups do not find it any more, and transfers of it by message have ended: whoever is behind the observer is not kept waiting by
    /// one. Those who hold it in this process may still do; its memory, and its <see cref="DmaMap.Backing"/>, are there until this has
    /// returned.
    /// </remarks>
    /// <param name="map">The range.</param>
    void OnUnmapping(DmaMap map);
}
