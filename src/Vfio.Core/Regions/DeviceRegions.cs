namespace Vfio.Core.Regions;

/// <summary>The regions that a variant adds behind those that are there. Lookups take no lock. Thread-safe.</summary>
/// <param name="first">The index of the first.</param>
internal sealed class DeviceRegions(int first)
{
    private readonly Lock _adding = new();
    private volatile DeviceRegion[] _regions = [];

    /// <summary>How many regions there are with those that were there before.</summary>
    public int End => first + _regions.Length;

    /// <summary>Adds a region.</summary>
    /// <returns>Its index.</returns>
    public int Add(DeviceRegion region)
    {
        lock (_adding)
        {
            _regions = [.. _regions, region];
            return End - 1;
        }
    }

    public bool Contains(int index) => (uint)(index - first) < (uint)_regions.Length;

    public VfioResult<RegionInfo> Info(int index) => At(index) is { } region ? region.Info : Errno.EINVAL;

    public VfioResult<RegionMapping> Map(int index) => At(index)?.Mapping is { Areas.Count: > 0 } mapping ? mapping : Errno.EINVAL;

    public VfioResult<int> Read(int index, ulong offset, Span<byte> destination)
    {
        if (At(index) is not { } region || !region.Flags.HasFlag(RegionFlags.Read) || offset >= region.Size)
            return Errno.EINVAL;
        return region.Read(offset, destination[..Fit(offset, destination.Length, region.Size)]);
    }

    public VfioResult<int> Write(int index, ulong offset, ReadOnlySpan<byte> source)
    {
        if (At(index) is not { } region || !region.Flags.HasFlag(RegionFlags.Write) || offset >= region.Size)
            return Errno.EINVAL;
        return region.Write(offset, source[..Fit(offset, source.Length, region.Size)]);
    }

    private DeviceRegion? At(int index)
    {
        var regions = _regions;
        var at = index - first;
        return (uint)at < (uint)regions.Length ? regions[at] : null;
    }

    private static int Fit(ulong offset, int count, ulong size) => (int)Math.Min((ulong)count, size - offset);
}
