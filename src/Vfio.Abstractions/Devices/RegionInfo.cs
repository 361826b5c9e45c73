namespace Vfio;

/// <summary>What a region is. Source: <c>struct vfio_region_info</c> and its capabilities.</summary>
public sealed record RegionInfo
{
    /// <summary>A region that is not there: size 0 and no flags, which is success and no error.</summary>
    public static RegionInfo Absent { get; } = new();

    /// <summary>Size in bytes; 0 for an absent region.</summary>
    public ulong Size { get; init; }

    /// <summary>What may be done with it.</summary>
    public RegionFlags Flags { get; init; }

    /// <summary>
    /// The parts that may be mapped, ascending and page aligned; null if all of it may be. Only with <see cref="RegionFlags.Mmap"/>.
    /// </summary>
    public IReadOnlyList<RegionArea>? SparseAreas { get; init; }

    /// <summary>Whether the region holds the MSI-X table and may be mapped all the same (VFIO_REGION_INFO_CAP_MSIX_MAPPABLE).</summary>
    public bool MsixMappable { get; init; }

    /// <summary>Type and subtype of a device-specific region (VFIO_REGION_INFO_CAP_TYPE).</summary>
    public RegionType? Type { get; init; }
}

/// <summary>VFIO_REGION_INFO_FLAG_*.</summary>
[Flags]
public enum RegionFlags : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>May be read.</summary>
    Read = 1,

    /// <summary>May be written.</summary>
    Write = 2,

    /// <summary>May be mapped, wholly or in the sparse areas.</summary>
    Mmap = 4,
}

/// <summary>A part of a region.</summary>
/// <param name="Offset">From the start of the region, in bytes.</param>
/// <param name="Size">In bytes.</param>
public readonly record struct RegionArea(ulong Offset, ulong Size);

/// <summary>What a device-specific region holds.</summary>
/// <param name="Type">VFIO_REGION_TYPE_*; bit 31 and a vendor id for a vendor's own.</param>
/// <param name="Subtype">Its subtype.</param>
public readonly record struct RegionType(uint Type, uint Subtype);
