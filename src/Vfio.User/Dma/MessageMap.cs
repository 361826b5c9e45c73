using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>A range that came without a file: the client itself reads and writes it, when asked by DMA_READ and DMA_WRITE.</summary>
internal sealed unsafe class MessageMap(ulong iova, ulong size, DmaAccess access, ClientRequests requests)
    : ClientMap(iova, size, access, null)
{
    private volatile bool _isEnding;

    /// <summary>Whether the range is being unmapped: nothing may begin to wait for it any more.</summary>
    public bool IsEnding => _isEnding;

    protected override VfioResult Read(ulong iova, Span<byte> destination) => requests.Read(this, iova, destination);

    protected override VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => requests.Write(this, iova, source);

    protected override void OnUnmapping()
    {
        _isEnding = true;
        requests.CancelMap(this);
    }
}
