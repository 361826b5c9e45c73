using System.Numerics;
using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>DMA_UNMAP that asks which pages of the range have been written.</summary>
internal static class DirtyUnmap
{
    private const int HeadSize = DmaUnmapStructure.Size + DmaUnmapBitmapStructure.Size;

    /// <remarks>
    /// The report is made when nobody uses the range any more, so that nothing is written after it. By then the range is unmapped: a report
    /// that fails cannot be asked for again, and all of it counts as written.
    /// </remarks>
    /// <param name="session">Whose.</param>
    /// <param name="asked">The range: not empty, and its end does not wrap.</param>
    /// <param name="request">The command.</param>
    /// <param name="reply">Receives the structures as they came, and the bitmap.</param>
    public static VfioResult<int> Carry(ClientSession session, in DmaUnmapStructure asked, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<DmaUnmapBitmapStructure>(request.Body[DmaUnmapStructure.Size..], out var bitmap)
            || asked.ArgSize < HeadSize || bitmap.Length > asked.ArgSize - HeadSize
            || bitmap.PageSize < Limits.PageSize || !BitOperations.IsPow2(bitmap.PageSize)
            || bitmap.Length < ClientDmaLogging.BitmapBytes(asked.Length, bitmap.PageSize)
            || session.DmaLogging is not { IsStarted: true } logging)
        {
            return Errno.EINVAL;
        }

        var unmapped = session.Dma.Unmap(asked.Address, asked.Address + (asked.Length - 1));
        if (!unmapped.IsSuccess)
            return unmapped.Error;
        var payload = reply.Payload(HeadSize + (int)bitmap.Length);
        MemoryMarshal.Write(payload, asked);
        MemoryMarshal.Write(payload[DmaUnmapStructure.Size..], bitmap);
        var bits = payload[HeadSize..];
        bits.Clear();
        var pages = ClientDmaLogging.DivideUp(asked.Length, bitmap.PageSize);
        var used = bits[..(int)ClientDmaLogging.BitmapBytes(asked.Length, bitmap.PageSize)];
        if (!IsReported(session, logging, asked, bitmap.PageSize, MemoryMarshal.Cast<byte, ulong>(used)))
            SetAll(bits, (int)pages);
        return payload.Length;
    }

    private static bool IsReported(
        ClientSession session, ClientDmaLogging logging, in DmaUnmapStructure asked, ulong pageSize, Span<ulong> bitmap)
    {
        try
        {
            return logging.Report(asked.Address, asked.Length, pageSize, bitmap).IsSuccess;
        }
        catch (Exception fault)
        {
            session.Report(fault, "report what was written");
            return false;
        }
    }

    private static void SetAll(Span<byte> bits, int count)
    {
        bits[..(count / 8)].Fill(byte.MaxValue);
        if (count % 8 != 0)
            bits[count / 8] = (byte)((1 << (count % 8)) - 1);
    }
}
