namespace Vfio.Core.Regions;

/// <summary>The regions that a variant adds behind the fixed ones. Lookups take no lock. Thread-safe.</summary>
internal sealed class DeviceRegions
{
    private readonly Lock _adding = new();
    private volatile DeviceRegion[] _regions = [];

    public int Count => _regions.Length;

    /// <summary>Adds a region.</summary>
    /// <returns>Its index.</returns>
    public int Add(DeviceRegion region)
    {
        lock (_adding)
        {
            _regions = [.. _regions, region];
            return RegionIndex.FixedCount + _regions.Length - 1;
        }
    }

    public DeviceRegion? At(int index)
    {
        var regions = _regions;
        var at = index - RegionIndex.FixedCount;
        return (uint)at < (uint)regions.Length ? regions[at] : null;
    }
}
