using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>DEVICE_GET_REGION_INFO: the region, its file, and its capabilities once the client has room for them.</summary>
internal static class RegionInfoCommand
{
    /// <remarks>
    /// A client whose argsz has no room for the capabilities gets the structure without them, and the argsz that it needs; the file goes
    /// along both times, as libvfio-user has it: there are clients that ask once and map, and none that minds.
    /// </remarks>
    public static VfioResult<int> Get(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<RegionInfoStructure>(request.Body, out var asked) || asked.ArgSize < RegionInfoStructure.Size
            || asked.Index >= session.RegionCount)
        {
            return Errno.EINVAL;
        }

        var found = session.Device.GetRegionInfo((int)asked.Index);
        if (!found.IsSuccess)
            return found.Error;
        var info = found.Value;
        var mapping = MappingOf(session, (int)asked.Index, info);
        var needed = RegionInfoStructure.Size + RegionCapabilities.Length(info, mapping is not null);
        var answered = new RegionInfoStructure
        {
            ArgSize = (uint)needed,
            Flags = (uint)(mapping is null ? info.Flags & ~RegionFlags.Mmap : info.Flags),
            Index = asked.Index,
            RegionSize = info.Size,
            FileOffset = mapping is null ? 0 : (ulong)mapping.FileOffset,
        };
        var length = RegionInfoStructure.Size;
        if (needed > length && needed <= asked.ArgSize)
        {
            length = needed;
            answered.Flags |= RegionInfoStructure.FlagCapabilities;
            answered.CapOffset = RegionInfoStructure.Size;
            RegionCapabilities.Write(info, mapping is not null, reply.Payload(length));
        }

        MemoryMarshal.Write(reply.Payload(length), answered);

        // With the whole answer only: libvfio-user's client does not look for a descriptor while it asks how long the answer is.
        if (mapping is not null && needed <= asked.ArgSize)
            reply.Attach(mapping.File);
        return length;
    }

    private static RegionMapping? MappingOf(ClientSession session, int region, RegionInfo info)
    {
        if (!info.Flags.HasFlag(RegionFlags.Mmap) || session.Client.MessageDescriptors == 0)
            return null;
        var mapping = session.Device.Map(region);
        return mapping.IsSuccess ? mapping.Value : null;
    }
}
