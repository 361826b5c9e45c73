using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>A range of a file that nobody can shorten: it is mapped, and touched in place.</summary>
/// <param name="iova">First address.</param>
/// <param name="size">Bytes.</param>
/// <param name="access">What the device may do.</param>
/// <param name="address">The memory, in the window.</param>
/// <param name="window">What keeps it mapped.</param>
/// <param name="windows">Who takes the window back.</param>
/// <param name="requests">What may wait for the range, when it is reached by message.</param>
internal sealed unsafe class MemoryMap(
    ulong iova, ulong size, DmaAccess access, byte* address, FileWindow window, FileWindows windows, ClientRequests requests)
    : ClientMap(iova, size, access, address, requests)
{
    protected override void OnUnmapped() => windows.Release(window);
}
