using System.Numerics;

namespace Vfio.Simulation.Nvme.Layout;

/// <summary>What lies where in BAR0: registers, doorbells, MSI-X table and pending bits, each on pages of its own.</summary>
internal sealed record BarLayout
{
    internal const int Index = 0;
    internal const int Page = 0x1000;

    /// <summary>
    /// Doorbells: CAP.DSTRD is 0, so they are 4 bytes apart; the submission tail of a queue comes before its completion head.
    /// </summary>
    internal const int Doorbells = 0x1000;
    internal const int DoorbellBytes = Page;
    internal const int Table = Doorbells + DoorbellBytes;

    internal BarLayout(int vectors)
    {
        Pending = Table + ((vectors * Pci.Capabilities.Msix.EntrySize) + Page - 1) / Page * Page;
        Size = BitOperations.RoundUpToPowerOf2((ulong)Pending + Page);
    }

    internal int Pending { get; }

    internal ulong Size { get; }

    internal static int SubmissionDoorbell(int queue) => queue * 2;

    internal static int CompletionDoorbell(int queue) => (queue * 2) + 1;
}
