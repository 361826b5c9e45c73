using System.Runtime.InteropServices;
using Vfio.User.Dma;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>DMA_MAP and DMA_UNMAP, with the answers of the kernel's type1 (v2) where the protocol leaves them open.</summary>
internal static class DmaCommands
{
    private const DmaMapFlags KnownMapFlags = DmaMapFlags.Read | DmaMapFlags.Write | DmaMapFlags.Mmap | DmaMapFlags.FileIo;
    private const DmaUnmapFlags KnownUnmapFlags = DmaUnmapFlags.GetDirtyBitmap | DmaUnmapFlags.All;

    public static VfioResult<int> Map(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<DmaMapStructure>(request.Body, out var asked) || asked.ArgSize < DmaMapStructure.Size || !IsSound(asked))
            return Errno.EINVAL;
        var hasFile = request.Descriptors.Count == 1;
        var how = asked.Flags & (DmaMapFlags.Mmap | DmaMapFlags.FileIo);
        if (request.Descriptors.Count > 1 || how == (DmaMapFlags.Mmap | DmaMapFlags.FileIo) || (how != 0 && !hasFile))
            return Errno.EINVAL;
        if (session.Dma.Count >= session.Options.MaxDmaMaps)
            return Errno.ENOSPC;

        var access = (DmaAccess)(asked.Flags & (DmaMapFlags.Read | DmaMapFlags.Write));
        var made = hasFile
            ? ClientFile.Map(
                session.Dma, asked.Address, asked.Length, access, request.Descriptors.Take(0), asked.FileOffset, how == DmaMapFlags.FileIo)
            : new VfioResult<ClientMap>(new MessageMap(asked.Address, asked.Length, access, session.Requests));
        if (!made.IsSuccess)
            return made.Error;
        var range = new IovaRange(asked.Address, asked.Length);
        session.DmaLogging?.Mapping(range);
        var mapped = session.Dma.Map(made.Value);
        if (mapped.IsSuccess)
        {
            session.DmaLogging?.Mapped(range);
            return 0;
        }

        made.Value.Discard();
        return mapped.Error;
    }

    /// <remarks>A range that holds nothing, and one that spans several maps, succeed: clients with a virtual IOMMU ask for both.</remarks>
    public static VfioResult<int> Unmap(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<DmaUnmapStructure>(request.Body, out var asked)
            || asked.ArgSize is < DmaUnmapStructure.Size or > Limits.DataTransfer
            || (asked.Flags & ~KnownUnmapFlags) != 0)
        {
            return Errno.EINVAL;
        }

        if (asked.Flags.HasFlag(DmaUnmapFlags.All))
        {
            if (asked.Flags != DmaUnmapFlags.All || asked.Address != 0 || asked.Length != 0)
                return Errno.EINVAL;
            session.Dma.UnmapAll();
        }
        else
        {
            if (asked.Length == 0 || !IsPageAligned(asked.Address | asked.Length) || asked.Address > ulong.MaxValue - (asked.Length - 1))
                return Errno.EINVAL;
            if (asked.Flags.HasFlag(DmaUnmapFlags.GetDirtyBitmap))
                return DirtyUnmap.Carry(session, asked, request, reply);
            var unmapped = session.Dma.Unmap(asked.Address, asked.Address + (asked.Length - 1));
            if (!unmapped.IsSuccess)
                return unmapped.Error;
        }

        MemoryMarshal.Write(reply.Payload(DmaUnmapStructure.Size), asked);
        return DmaUnmapStructure.Size;
    }

    private static bool IsSound(in DmaMapStructure asked)
        => (asked.Flags & ~KnownMapFlags) == 0 && (asked.Flags & (DmaMapFlags.Read | DmaMapFlags.Write)) != 0
            && asked.Length != 0 && IsPageAligned(asked.Address | asked.Length | asked.FileOffset)
            && asked.Address <= ulong.MaxValue - (asked.Length - 1);

    private static bool IsPageAligned(ulong bits) => bits % Limits.PageSize == 0;
}
