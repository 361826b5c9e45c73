using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>REGION_READ, REGION_WRITE and REGION_WRITE_MULTI: the hot path. Nothing here allocates or takes a lock.</summary>
internal static class RegionAccessCommands
{
    public static VfioResult<int> Read(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<RegionAccessStructure>(request.Body, out var access) || !IsSound(session, access))
            return Errno.EINVAL;
        var payload = reply.Payload(RegionAccessStructure.Size + (int)access.Count);
        if (access.Count != 0)
        {
            var result = session.Device.Read((int)access.Region, access.Offset, payload[RegionAccessStructure.Size..]);
            if (!result.IsSuccess)
                return result;
            access.Count = Believable(result.Value, access.Count);
        }

        MemoryMarshal.Write(payload, access);
        return RegionAccessStructure.Size + (int)access.Count;
    }

    public static VfioResult<int> Write(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<RegionAccessStructure>(request.Body, out var access)
            || request.BodyLength - RegionAccessStructure.Size != access.Count || !IsSound(session, access))
        {
            return Errno.EINVAL;
        }

        var result = WriteOne(session, access, request.Body[RegionAccessStructure.Size..]);
        if (!result.IsSuccess)
            return result;
        access.Count = (uint)result.Value;
        MemoryMarshal.Write(reply.Payload(RegionAccessStructure.Size), access);
        return RegionAccessStructure.Size;
    }

    /// <summary>
    /// Each write stands for itself, as posted writes do: one that fails does not keep back those after it, and its errno is the answer.
    /// </summary>
    public static VfioResult<int> WriteMulti(ClientSession session, Message request, Reply reply)
    {
        if (!session.Client.WriteMultiple || !MemoryMarshal.TryRead<ulong>(request.Body, out var count))
            return Errno.EINVAL;
        var writes = (ReadOnlySpan<byte>)request.Body[sizeof(ulong)..];
        if (count > Limits.Message / RegionAccessStructure.MultiSize || (uint)writes.Length != count * RegionAccessStructure.MultiSize)
            return Errno.EINVAL;
        for (var at = writes; !at.IsEmpty; at = at[RegionAccessStructure.MultiSize..])
        {
            var access = MemoryMarshal.Read<RegionAccessStructure>(at);
            if (access.Count > RegionAccessStructure.MultiSize - RegionAccessStructure.Size || !IsSound(session, access))
                return Errno.EINVAL;
        }

        var error = Errno.None;
        for (var at = writes; !at.IsEmpty; at = at[RegionAccessStructure.MultiSize..])
        {
            var access = MemoryMarshal.Read<RegionAccessStructure>(at);
            var result = WriteOne(session, access, at.Slice(RegionAccessStructure.Size, (int)access.Count));
            if (error == Errno.None)
                error = result.Error;
        }

        if (error != Errno.None)
            return error;
        MemoryMarshal.Write(reply.Payload(sizeof(ulong)), count);
        return sizeof(ulong);
    }

    private static VfioResult<int> WriteOne(ClientSession session, in RegionAccessStructure access, ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
            return 0;
        var result = session.Device.Write((int)access.Region, access.Offset, data);
        return result.IsSuccess ? (int)Believable(result.Value, access.Count) : result;
    }

    // What the region holds is the device's business; what would wrap or not fit a message is nobody's.
    private static bool IsSound(ClientSession session, in RegionAccessStructure access)
        => access.Region < session.RegionCount && access.Count <= Limits.DataTransfer && access.Offset <= ulong.MaxValue - access.Count;

    private static uint Believable(int count, uint asked)
        => (uint)count <= asked ? (uint)count
            : throw new InvalidOperationException($"The device says that it moved {count} of {asked} bytes.");
}
