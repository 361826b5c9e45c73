namespace Vfio.Hosting;

/// <summary>Functions that the kernel's vfio-pci treats differently, by their ids.</summary>
internal static class FunctionQuirks
{
    private const ushort Vendor = 0x8086;

    // Ranges of device ids, ends included. Source: the kernel's vfio_pci_nointx.
    private static readonly (ushort First, ushort Last)[] BrokenIntx =
    [
        (0x1563, 0x1563), (0x1572, 0x1572), (0x1574, 0x1574), (0x1580, 0x1581), (0x1583, 0x158B), (0x37D0, 0x37D2),
    ];

    /// <summary>What the generic driver refuses. Source: the kernel's <c>vfio_pci_dev_in_denylist</c>.</summary>
    public static IReadOnlyList<PciIdMatch> Denylist { get; } =
    [
        .. new ushort[] { 0x0435, 0x0443, 0x0B25, 0x0CFE, 0x19E2, 0x19E3, 0x37C8, 0x37C9 }
            .Select(device => new PciIdMatch { Vendor = Vendor, Device = device }),
    ];

    /// <summary>Whether a function's INTx does not work, so that it must not be shown.</summary>
    public static bool HasBrokenIntx(in PciId id)
    {
        if (id.Vendor != Vendor)
            return false;
        foreach (var (first, last) in BrokenIntx)
        {
            if (id.Device >= first && id.Device <= last)
                return true;
        }

        return false;
    }
}
