using System.Diagnostics.CodeAnalysis;
using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>
/// The memory that clients have given a device, one client after the other: empty between them. Lives as long as the device is open.
/// </summary>
internal sealed class ClientDmaSpace : DmaSpace
{
    private volatile ClientRequests? _requests;

    public ClientDmaSpace() => ByMessage = new MessageSpace(this);

    /// <summary>What of the client's files is mapped.</summary>
    public FileWindows Windows { get; } = new();

    /// <summary>The descriptors of what is mapped.</summary>
    public BackingFiles Backings { get; } = new();

    /// <summary>Those of its files that are read and written by calls.</summary>
    public OpenFiles Files { get; } = new();

    /// <summary>What is asked of the client that is there.</summary>
    public ClientRequests Requests => _requests!;

    public override IDmaSpace ByMessage { get; }

    /// <summary>Who is asked for memory that is reached by message, from now on.</summary>
    public void Serve(ClientRequests requests) => _requests = requests;

    // A device may cancel when its client is long gone: there is nothing left of that one to cancel.
    public override void CancelTransfers() => _requests?.CancelAll();

    /// <summary>As <see cref="DmaSpace.TryHold"/>; every map of this space is a client's.</summary>
    public bool TryHold(ulong iova, int wanted, DmaAccess access, [NotNullWhen(true)] out ClientMap? map, out int count)
    {
        var held = TryHold(iova, wanted, access, out DmaMap? found, out count);
        map = (ClientMap?)found;
        return held;
    }

    /// <summary>Lets go of a map.</summary>
    public static void Release(ClientMap map) => DmaSpace.Release(map);
}
