using System.Runtime.InteropServices;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Requests;

/// <summary>
/// The addresses that a command of the client takes away: a client that waits for it may answer nothing about them before.
/// </summary>
/// <param name="First">First address.</param>
/// <param name="Last">Last address.</param>
internal readonly record struct EndedRange(ulong First, ulong Last)
{
    private static readonly EndedRange All = new(0, ulong.MaxValue);

    public bool IsAll => this == All;

    /// <summary>What a reset or an unmap takes away; null for any other command.</summary>
    public static EndedRange? Of(in MessageHeader header, ReadOnlySpan<byte> body)
    {
        if (header.Command == Command.DeviceReset)
            return All;
        if (header.Command != Command.DmaUnmap || !MemoryMarshal.TryRead<DmaUnmapStructure>(body, out var unmap))
            return null;
        if ((unmap.Flags & DmaUnmapFlags.All) != 0)
            return All;
        return unmap.Length != 0 && unmap.Address <= ulong.MaxValue - (unmap.Length - 1)
            ? new(unmap.Address, unmap.Address + (unmap.Length - 1)) : null;
    }

    /// <summary>Whether it touches a range of at least one byte that does not wrap.</summary>
    public bool Touches(ulong iova, int length) => iova <= Last && iova + (uint)(length - 1) >= First;
}
