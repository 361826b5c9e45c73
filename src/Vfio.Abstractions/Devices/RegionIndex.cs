namespace Vfio;

/// <summary>Region indexes of a PCI device. Source: <c>include/uapi/linux/vfio.h</c>, VFIO_PCI_*_REGION_INDEX.</summary>
public static class RegionIndex
{
    /// <summary>The first BAR; the others follow.</summary>
    public const int Bar0 = 0;

    /// <summary>The last BAR.</summary>
    public const int Bar5 = 5;

    /// <summary>The expansion ROM.</summary>
    public const int Rom = 6;

    /// <summary>Configuration space.</summary>
    public const int Config = 7;

    /// <summary>The VGA legacy ranges.</summary>
    public const int Vga = 8;

    /// <summary>How many indexes are fixed; device-specific regions follow.</summary>
    public const int FixedCount = 9;
}
