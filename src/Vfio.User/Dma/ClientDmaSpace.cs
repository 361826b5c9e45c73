using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>The memory that one client has given its device. Lives as long as the client's session.</summary>
internal sealed class ClientDmaSpace(ClientRequests requests) : DmaSpace
{
    public override void CancelTransfers() => requests.CancelAll();
}
