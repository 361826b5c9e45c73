using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>A range that came without a file: the client itself reads and writes it, when asked by DMA_READ and DMA_WRITE.</summary>
internal sealed unsafe class MessageMap(ulong iova, ulong size, DmaAccess access, ClientRequests requests)
    : ClientMap(iova, size, access, null, requests)
{
    private readonly ClientRequests _requests = requests;

    protected override VfioResult Read(ulong iova, Span<byte> destination) => _requests.Read(this, iova, destination);

    protected override VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => _requests.Write(this, iova, source);
}
