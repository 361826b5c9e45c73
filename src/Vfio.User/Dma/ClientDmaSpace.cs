using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>
/// The memory that clients have given a device, one client after the other: empty between them. Lives as long as the device is open.
/// </summary>
internal sealed class ClientDmaSpace : DmaSpace
{
    private volatile ClientRequests? _requests;

    /// <summary>What of the client's files is mapped.</summary>
    public FileWindows Windows { get; } = new();

    /// <summary>The descriptors of what is mapped.</summary>
    public BackingFiles Backings { get; } = new();

    /// <summary>Those of its files that are read and written by calls.</summary>
    public OpenFiles Files { get; } = new();

    /// <summary>Who is asked for memory that came without a file, from now on.</summary>
    public void Serve(ClientRequests requests) => _requests = requests;

    // A device may cancel when its client is long gone: there is nothing left of that one to cancel.
    public override void CancelTransfers() => _requests?.CancelAll();
}
