using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>The memory that one client has given its device. Lives as long as the client's session.</summary>
internal sealed class ClientDmaSpace(ClientRequests requests) : DmaSpace
{
    /// <summary>What of its files is mapped.</summary>
    public FileWindows Windows { get; } = new();

    /// <summary>The descriptors of what is mapped.</summary>
    public BackingFiles Backings { get; } = new();

    /// <summary>Those of its files that are read and written by calls.</summary>
    public OpenFiles Files { get; } = new();

    public override void CancelTransfers() => requests.CancelAll();
}
