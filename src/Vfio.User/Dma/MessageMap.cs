using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>A range that came without a file: the client itself reads and writes it, when asked by DMA_READ and DMA_WRITE.</summary>
internal sealed unsafe class MessageMap(ulong iova, ulong size, DmaAccess access, ClientRequests requests)
    : ClientMap(iova, size, access, null, requests)
{
    protected override VfioResult Read(ulong iova, Span<byte> destination) => Requests.Read(this, iova, destination);

    protected override VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => Requests.Write(this, iova, source);
}
