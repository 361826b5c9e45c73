using Vfio.User.Dma;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Requests;

/// <summary>
/// One DMA_READ or DMA_WRITE that waits for its reply. Pooled; changed only under the lock of its <see cref="ClientRequests"/>.
/// </summary>
internal sealed unsafe class Transfer : ICancelled
{
    private volatile bool _done;

    public ushort Id { get; set; }

    public Command Command { get; set; }

    public ulong Iova { get; set; }

    public int Length { get; set; }

    /// <summary>Where the bytes of a DMA_READ go, for as long as the transfer is pending.</summary>
    public byte* Destination { get; set; }

    /// <summary>The map that it reaches through.</summary>
    public ClientMap? Map { get; set; }

    /// <summary>Whether its reply has come, so that none is to be expected any more.</summary>
    public bool Answered { get; set; }

    public Errno Error { get; private set; }

    public bool IsDone => _done;

    bool ICancelled.IsCancelled => _done;

    public void Begin()
    {
        Answered = false;
        _done = false;
    }

    public void Complete(Errno error)
    {
        Error = error;
        _done = true;
    }
}
