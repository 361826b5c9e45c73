namespace Vfio.Core.Regions;

/// <summary>
/// The legacy VGA memory and ports of a display controller, at their bus addresses; whatever lies between them is not there. Source: the
/// kernel's <c>vfio_pci_vga_rw</c>.
/// </summary>
internal static class VgaRegion
{
    private const int WidestAccess = 4;
    private const int InterfaceBits = 8;
    private const uint VgaClass = 0x0300;
    private static readonly (ulong Start, ulong End)[] Ranges = [(0xA0000, 0xC0000), (0x3B0, 0x3BC), (0x3C0, 0x3E0)];

    public static RegionInfo Info { get; } = new() { Size = 0xC0000, Flags = RegionFlags.Read | RegionFlags.Write };

    /// <summary>The region of a VGA-compatible controller; null for any other function.</summary>
    public static FunctionBar? Of(IPciFunction function)
        // They are no BAR, so they answer whether or not COMMAND enables memory.
        => function.Id.ClassCode >> InterfaceBits == VgaClass && function.Bar(RegionIndex.Vga) is { } vga
            ? new(vga, WidestAccess, 0, 0) { IsMemory = false }
            : null;

    /// <summary>How much of an access is made: it is cut at the end of the range that it begins in; 0 if it begins in none.</summary>
    public static int Fit(ulong offset, int length)
    {
        foreach (var (start, end) in Ranges)
        {
            if (offset >= start && offset < end)
                return (int)Math.Min((ulong)length, end - offset);
        }

        return 0;
    }
}
