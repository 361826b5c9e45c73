using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.OracleReplay.Hardware;

/// <summary>A BAR as a recording shows it: what it decodes, and how much.</summary>
/// <param name="Index">Its region index; the ROM included.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Kind">What it decodes.</param>
/// <param name="Prefetchable">Whether it is prefetchable memory.</param>
internal sealed record RecordedBarShape(int Index, ulong Size, BarKind Kind, bool Prefetchable) : IDisposable
{
    private const uint CloseOnExec = 1;
    private SafeFileHandle? _file;

    /// <summary>Whether a ROM is a copy in memory.</summary>
    public bool IsShadow { get; init; }

    /// <summary>How much of a ROM its image fills.</summary>
    public ulong ImageSize { get; init; } = Size;

    /// <summary>Whether another driver of the recording's host held it.</summary>
    public bool IsClaimed { get; init; }

    /// <summary>Whether a ROM has an image that begins as one must.</summary>
    public bool HasImage { get; init; }

    /// <summary>Whether the kernel lets a client map it: the rule of <c>vfio_pci_probe_mmaps</c>.</summary>
    public bool IsMappable { get; init; }

    /// <summary>What a client would map: an empty file as long as the BAR, rounded up to a page.</summary>
    public RegionMapping? Mapping()
    {
        const ulong Page = 4096;
        if (!IsMappable)
            return null;
        var length = (Size + Page - 1) & ~(Page - 1);
        if (_file is null)
        {
            _file = Libc.memfd_create($"bar{Index}", CloseOnExec);
            if (_file.IsInvalid || Libc.ftruncate(_file, (long)length) != 0)
                throw VfioException.FromLibc($"a file of {length} bytes for BAR {Index}");
        }

        return new() { File = _file, Areas = [new(0, length)] };
    }

    public void Dispose() => _file?.Dispose();
}
