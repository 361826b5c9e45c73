using Vfio.Core.Reset;

namespace Vfio.Core.Regions;

/// <summary>
/// The legacy VGA memory and ports of a display controller, at their bus addresses; whatever lies between them is not there. They are no
/// BAR, so they answer whether or not COMMAND enables memory. Source: the kernel's <c>vfio_pci_vga_rw</c>.
/// </summary>
internal sealed class VgaRegion(IPciBar vga, AccessGate gate)
{
    private const int WidestAccess = 4;
    private const int InterfaceBits = 8;
    private const uint VgaClass = 0x0300;
    private static readonly (ulong Start, ulong End)[] Ranges = [(0xA0000, 0xC0000), (0x3B0, 0x3BC), (0x3C0, 0x3E0)];
    private readonly FunctionBar _bar = new(vga, WidestAccess, 0, 0);

    public static RegionInfo Info { get; } = new() { Size = 0xC0000, Flags = RegionFlags.Read | RegionFlags.Write };

    /// <summary>The region of a VGA-compatible controller; null for any other function.</summary>
    public static VgaRegion? Of(IPciFunction function, AccessGate gate)
        => function.Id.ClassCode >> InterfaceBits == VgaClass && function.Bar(RegionIndex.Vga) is { } vga ? new(vga, gate) : null;

    public VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        var count = Fit(offset, destination.Length);
        if (count == 0)
            return Errno.EINVAL;
        gate.EnterShared();
        try
        {
            if (gate.IsOver)
                return Errno.EIO;
            _bar.Read(offset, destination[..count]);
        }
        finally
        {
            gate.ExitShared();
        }

        return count;
    }

    public VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        var count = Fit(offset, source.Length);
        if (count == 0)
            return Errno.EINVAL;
        gate.EnterShared();
        try
        {
            if (gate.IsOver)
                return Errno.EIO;
            _bar.Write(offset, source[..count]);
        }
        finally
        {
            gate.ExitShared();
        }

        return count;
    }

    // An access is cut at the end of the range that it begins in; 0 if it begins in none.
    private static int Fit(ulong offset, int length)
    {
        foreach (var (start, end) in Ranges)
        {
            if (offset >= start && offset < end)
                return (int)Math.Min((ulong)length, end - offset);
        }

        return 0;
    }
}
