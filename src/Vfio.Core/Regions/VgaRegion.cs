using Vfio.Core.Reset;

namespace Vfio.Core.Regions;

/// <summary>
/// The legacy VGA memory and ports of a display controller, at their bus addresses; whatever lies between them is not there. They are
/// no BAR,
/// so they answer whether or not COMMAND enables memory. Source: the kernel's <c>vfio_pci_vga_rw</c>.
/// </summary>
internal sealed class VgaRegion(IPciBar vga, AccessGate gate)
{
    private const int WidestMemory = 8, WidestIo = 4;
    private static readonly (ulong Start, ulong End, bool IsMemory)[] Ranges =
        [(0xA0000, 0xC0000, true), (0x3B0, 0x3BC, false), (0x3C0, 0x3E0, false)];

    private readonly FunctionBar _memory = new(vga, WidestMemory, 0, 0);
    private readonly FunctionBar _ports = new(vga, WidestIo, 0, 0);

    public static RegionInfo Info { get; } = new() { Size = 0xC0000, Flags = RegionFlags.Read | RegionFlags.Write };

    public VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        if (Find(offset, destination.Length, out var count) is not { } range)
            return Errno.EINVAL;
        gate.EnterShared();
        try
        {
            if (gate.IsOver)
                return Errno.EIO;
            range.Read(offset, destination[..count]);
        }
        finally
        {
            gate.ExitShared();
        }

        return count;
    }

    public VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        if (Find(offset, source.Length, out var count) is not { } range)
            return Errno.EINVAL;
        gate.EnterShared();
        try
        {
            if (gate.IsOver)
                return Errno.EIO;
            range.Write(offset, source[..count]);
        }
        finally
        {
            gate.ExitShared();
        }

        return count;
    }

    // An access is cut at the end of its range.
    private FunctionBar? Find(ulong offset, int length, out int count)
    {
        foreach (var (start, end, isMemory) in Ranges)
        {
            if (offset < start || offset >= end)
                continue;
            count = (int)Math.Min((ulong)length, end - offset);
            return isMemory ? _memory : _ports;
        }

        count = 0;
        return null;
    }
}
