using Vfio.User.Requests;

namespace Vfio.User.Dma;

/// <summary>The memory that one client has given its device. Lives as long as the client's session.</summary>
internal sealed class ClientDmaSpace : DmaSpace
{
    public ClientDmaSpace(ClientRequests requests)
    {
        Requests = requests;
        ByMessage = new MessageSpace(this);
    }

    /// <summary>What is asked of the client.</summary>
    public ClientRequests Requests { get; }

    /// <summary>What of its files is mapped.</summary>
    public FileWindows Windows { get; } = new();

    /// <summary>Those of its files that are read and written by calls.</summary>
    public OpenFiles Files { get; } = new();

    public override IDmaSpace ByMessage { get; }

    public override void CancelTransfers() => Requests.CancelAll();

    /// <summary>As <see cref="DmaSpace.TryHold"/>; every map of this space is a client's.</summary>
    public bool TryHold(
        ulong iova, int wanted, DmaAccess access, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out ClientMap? map, out int count)
    {
        var held = TryHold(iova, wanted, access, out DmaMap? found, out count);
        map = (ClientMap?)found;
        return held;
    }

    /// <summary>Lets go of a map.</summary>
    public static void Release(ClientMap map) => DmaSpace.Release(map);
}
