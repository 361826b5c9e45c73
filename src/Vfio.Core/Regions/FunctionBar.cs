using System.Buffers.Binary;

namespace Vfio.Core.Regions;

/// <summary>
/// Device accesses to a BAR: a request of any offset and length as naturally aligned accesses of 8, 4, 2 and 1 bytes. Allocates nothing.
/// </summary>
/// <remarks>
/// Source: the kernel's <c>vfio_pci_core_do_io_rw</c>. The excluded window reads as ones and drops writes: the MSI-X table, or what a ROM's
/// image leaves.
/// </remarks>
internal sealed class FunctionBar(IPciBar bar, int widest, ulong excludedStart, ulong excludedEnd)
{
    public IPciBar Bar { get; } = bar;

    /// <summary>Whether accesses need memory decoding to be on.</summary>
    public bool IsMemory { get; init; } = bar.Kind != BarKind.Io;

    /// <summary>Whether a request touches nothing but the excluded window, and so not the device.</summary>
    public bool IsExcluded(ulong offset, int count) => offset >= excludedStart && offset + (ulong)count <= excludedEnd;

    /// <summary>Whether a request touches any of the excluded window.</summary>
    public bool OverlapsExcluded(ulong offset, int count) => offset < excludedEnd && offset + (ulong)count > excludedStart;

    public void Read(ulong offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            var width = PieceAt(offset, destination.Length);
            if (width == 0)
            {
                var skipped = Excluded(offset, destination.Length);
                destination[..skipped].Fill(0xFF);
                destination = destination[skipped..];
                offset += (ulong)skipped;
                continue;
            }

            var value = Bar.Read(offset, width);
            switch (width)
            {
                case 1:
                    destination[0] = (byte)value;
                    break;
                case 2:
                    BinaryPrimitives.WriteUInt16LittleEndian(destination, (ushort)value);
                    break;
                case 4:
                    BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)value);
                    break;
                default:
                    BinaryPrimitives.WriteUInt64LittleEndian(destination, value);
                    break;
            }

            destination = destination[width..];
            offset += (ulong)width;
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            var width = PieceAt(offset, source.Length);
            if (width == 0)
            {
                var skipped = Excluded(offset, source.Length);
                source = source[skipped..];
                offset += (ulong)skipped;
                continue;
            }

            Bar.Write(offset, width, width switch
            {
                1 => source[0],
                2 => BinaryPrimitives.ReadUInt16LittleEndian(source),
                4 => BinaryPrimitives.ReadUInt32LittleEndian(source),
                _ => BinaryPrimitives.ReadUInt64LittleEndian(source),
            });
            source = source[width..];
            offset += (ulong)width;
        }
    }

    // 0 inside the excluded window.
    private int PieceAt(ulong offset, int left)
    {
        var run = (ulong)left;
        if (offset < excludedStart)
            run = Math.Min(run, excludedStart - offset);
        else if (offset < excludedEnd)
            return 0;
        for (var width = widest; width > 1; width >>= 1)
        {
            if (run >= (ulong)width && (offset & (ulong)(width - 1)) == 0)
                return width;
        }

        return 1;
    }

    private int Excluded(ulong offset, int left) => (int)Math.Min((ulong)left, excludedEnd - offset);
}
