namespace Vfio;

/// <summary>Who follows what is mapped in a DMA space: a function whose hardware needs to know, or whose memory another process reaches.</summary>
/// <remarks>Calls for one space never overlap, and come in the order of the changes. They may block.</remarks>
public interface IDmaObserver
{
    /// <summary>A range is mapped; lookups find it from now on.</summary>
    /// <param name="map">The range.</param>
    /// <returns>Any errno: the range cannot be had, and is not mapped; the client is told.</returns>
    VfioResult OnMapped(DmaMap map);

    /// <summary>A range is about to be unmapped. When this has returned, nobody behind the observer uses it any more.</summary>
    /// <param name="map">The range.</param>
    void OnUnmapping(DmaMap map);
}
