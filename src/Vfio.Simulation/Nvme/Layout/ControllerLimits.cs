namespace Vfio.Simulation.Nvme.Layout;

/// <summary>What these controllers can do, and the CAP register that says so. Source: NVM Express Base Specification 1.4, 3.1.1.</summary>
internal static class ControllerLimits
{
    /// <summary>The largest queue, in entries.</summary>
    internal const int QueueEntries = 1024;

    /// <summary>The smallest and largest memory page, as powers of two.</summary>
    internal const int MinPageShift = 12, MaxPageShift = 16;

    /// <summary>The most data of one command, in smallest pages, as a power of two (MDTS): 512 KiB.</summary>
    internal const int TransferShift = 7;

    /// <summary>The most data of one command, in bytes.</summary>
    internal const int TransferBytes = 1 << (TransferShift + MinPageShift);

    /// <summary>How many asynchronous event requests may be outstanding.</summary>
    internal const int AsyncEventRequests = 4;

    /// <summary>How many commands may be to be aborted at a time.</summary>
    internal const int AbortCommands = 4;

    /// <summary>The most I/O queue pairs of a controller: with the admin pair, their doorbells fill a page.</summary>
    internal const int QueuePairs = 511;

    /// <summary>The most MSI-X vectors of a controller.</summary>
    internal const int Vectors = 512;

    /// <summary>How long CSTS.RDY may take, in 500 ms.</summary>
    private const ulong ReadyTimeout = 20;

    /// <summary>
    /// CAP of every controller. Any of them can reset the subsystem, a VF too: keeping a guest from it is for whoever hands the VF out.
    /// </summary>
    internal const ulong Cap
        = (QueueEntries - 1)
            | (1ul << 16)
            | (ReadyTimeout << 24)
            | (1ul << 36)
            | (1ul << 37)
            | ((ulong)(MinPageShift - 12) << 48)
            | ((ulong)(MaxPageShift - 12) << 52);
}
