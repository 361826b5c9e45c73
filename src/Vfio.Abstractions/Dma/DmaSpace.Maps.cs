namespace Vfio;

// What a front end needs that is asked about all of a client's memory at once.
public partial class DmaSpace
{
    /// <summary>What is mapped at this moment, in the order of the addresses.</summary>
    /// <returns>The maps; others may be mapped and unmapped meanwhile.</returns>
    public DmaMap[] GetMaps() => _maps.ToArray();
}
