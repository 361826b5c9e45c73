namespace Vfio.User.Dma;

/// <summary>A range that a client has mapped.</summary>
internal abstract unsafe class ClientMap(ulong iova, ulong size, DmaAccess access, void* address) : DmaMap(iova, size, access, address)
{
    /// <summary>Gives back what the map holds, when it never got into a space.</summary>
    public void Discard() => OnUnmapped();
}
