using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>A range that a client has mapped.</summary>
internal abstract unsafe class ClientMap(ulong iova, ulong size, DmaAccess access, void* address, ClientRequests requests)
    : DmaMap(iova, size, access, address)
{
    private volatile bool _isEnding;

    /// <summary>How its owner is asked.</summary>
    public ClientRequests Requests { get; } = requests;

    /// <summary>Whether the range is being unmapped: nothing may begin to wait for it any more.</summary>
    public bool IsEnding => _isEnding;

    /// <summary>Gives back what the map holds, when it never got into a space.</summary>
    public void Discard() => OnUnmapped();

    protected override void OnUnmapping()
    {
        _isEnding = true;
        Requests.CancelMap(this);
    }
}
