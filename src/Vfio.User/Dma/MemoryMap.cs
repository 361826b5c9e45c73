using Microsoft.Win32.SafeHandles;

namespace Vfio.User.Dma;

/// <summary>A range of a file that nobody can shorten: it is mapped, and touched in place.</summary>
/// <param name="iova">First address.</param>
/// <param name="size">Bytes.</param>
/// <param name="access">What the device may do.</param>
/// <param name="address">The memory, in the window.</param>
/// <param name="window">What keeps it mapped.</param>
/// <param name="space">Who takes the window and the file back.</param>
/// <param name="file">The file; null where no descriptor of it could be kept.</param>
/// <param name="offset">Where in the file the range begins.</param>
internal sealed unsafe class MemoryMap(
    ulong iova, ulong size, DmaAccess access, byte* address, FileWindow window, ClientDmaSpace space, OpenFile? file, ulong offset)
    : ClientMap(iova, size, access, address, space.Requests)
{
    public override (SafeFileHandle File, ulong Offset)? Backing => file is null ? null : (file.Handle, offset);

    protected override void OnUnmapped()
    {
        space.Windows.Release(window);
        if (file is not null)
            space.Backings.Release(file);
    }
}
