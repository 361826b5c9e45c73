using System.Buffers.Binary;
using Vfio.Core;

namespace Vfio.Lab.Qtest;

/// <summary>
/// A variant that gives the matrix function an I/O BAR it does not have, and hides its MSI-X capability: QEMU 11.1 aborts when a device
/// with MSI-X is unplugged, and this one is for unplugging.
/// </summary>
internal sealed class IoBarVariant(IVfioPciCore core) : VfioPciDevice(core)
{
    internal const int IoBar = 4;
    internal const int IoSize = 32;
    private const uint IoSpace = 1;
    private static readonly RegisterRange IoBarRegister = new(0x10 + (4 * IoBar), 4);
    private readonly byte[] _port = new byte[IoSize];
    private readonly byte[] _barShadow = new byte[4];

    public override VfioResult<RegionInfo> GetRegionInfo(int region) => region == IoBar
        ? new RegionInfo { Size = IoSize, Flags = RegionFlags.Read | RegionFlags.Write }
        : base.GetRegionInfo(region);

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => index == (int)IrqIndex.Msix ? new IrqInfo(IrqFlags.EventFd, 0) : base.GetIrqInfo(index);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (region == IoBar)
            return Port(offset, destination.Length, out var port) ? Copy(port, destination) : Errno.EINVAL;
        var result = base.Read(region, offset, destination);
        if (region != RegionIndex.Config || !result.IsSuccess)
            return result;
        Span<byte> bar = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bar, (BinaryPrimitives.ReadUInt32LittleEndian(_barShadow) & ~(IoSize - 1u)) | IoSpace);
        IoBarRegister.Patch(offset, destination, bar);
        HideMsix(offset, destination);
        return result;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (region == IoBar)
            return Port(offset, source.Length, out var port) ? Copy(source, port) : Errno.EINVAL;
        if (region == RegionIndex.Config)
            IoBarRegister.Capture(offset, source, _barShadow);
        return base.Write(region, offset, source);
    }

    // MSI-X is the last capability of the function: the link to it ends the list.
    private void HideMsix(ulong offset, Span<byte> read)
    {
        Span<byte> link = stackalloc byte[1];
        var at = 0x34;
        while (Core.Read(RegionIndex.Config, (ulong)at, link).IsSuccess && link[0] != 0)
        {
            var next = link[0];
            if (Core.Read(RegionIndex.Config, next, link).IsSuccess && link[0] == 0x11)
            {
                new RegisterRange((ulong)at, 1).Patch(offset, read, [0]);
                return;
            }

            at = next + 1;
        }
    }

    private bool Port(ulong offset, int length, out Span<byte> port)
    {
        var inside = offset <= IoSize && (ulong)length <= IoSize - offset;
        port = inside ? _port.AsSpan((int)offset, length) : default;
        return inside;
    }

    private static int Copy(ReadOnlySpan<byte> from, Span<byte> to)
    {
        from.CopyTo(to);
        return from.Length;
    }
}
