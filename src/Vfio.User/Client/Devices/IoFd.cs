using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Wire;

namespace Vfio.User.Client.Devices;

/// <summary>One descriptor that stands for writes to a region, as GET_REGION_IO_FDS has it.</summary>
/// <param name="Offset">Where in the region.</param>
/// <param name="Size">Width of the write.</param>
/// <param name="Type">0: an ioeventfd. 1: an ioregionfd. 2: an ioeventfd with the written value in shared memory.</param>
/// <param name="Flags">KVM's flags.</param>
/// <param name="DataMatch">The value that the write must have, if the flags say so.</param>
/// <param name="Descriptor">The descriptor; null for none. One may stand in several entries.</param>
internal sealed record IoFd(ulong Offset, ulong Size, uint Type, uint Flags, ulong DataMatch, SafeFileHandle? Descriptor)
{
    /// <summary>The specification's entry: the 48 bytes of <see cref="IoEventFdStructure"/> without the shadow.</summary>
    private const int ShortEntry = 40;
    private const int LikelyCount = 32;

    /// <summary>Asks for them, twice if there are more than likely.</summary>
    /// <param name="client">The client.</param>
    /// <param name="region">The region.</param>
    /// <returns>The entries, whose descriptors are the caller's.</returns>
    public static VfioResult<IReadOnlyList<IoFd>> Get(VfioUserClient client, int region)
    {
        var room = RegionIoFdsStructure.Size + LikelyCount * IoEventFdStructure.Size;
        for (var tries = 0; tries < 2; tries++)
        {
            var answer = Ask(client, region, ref room);
            if (!answer.IsSuccess || answer.Value is not null)
                return answer.IsSuccess ? new VfioResult<IReadOnlyList<IoFd>>(answer.Value!) : answer.Error;
        }

        return client.Refuse($"cannot say how many descriptors region {region} has");
    }

    // Success with null: there was not room enough; it says how much is needed.
    private static VfioResult<IReadOnlyList<IoFd>?> Ask(VfioUserClient client, int region, ref int room)
    {
        var request = new RegionIoFdsStructure { ArgSize = (uint)room, Index = (uint)region };
        if (client.Caller.Begin(Command.DeviceGetRegionIoFds, request, room) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            call.MostDescriptors = Libc.SCM_MAX_FD;
            var result = client.Caller.Call(call);
            if (!result.IsSuccess)
                return result.Error;
            if (!MemoryMarshal.TryRead<RegionIoFdsStructure>(call.Reply, out var head) || head.ArgSize < RegionIoFdsStructure.Size
                || head.ArgSize > Limits.DataTransfer)
            {
                return client.Refuse($"answers GET_REGION_IO_FDS with {result.Value} bytes");
            }

            if (head.ArgSize > room)
            {
                room = (int)head.ArgSize;
                return new VfioResult<IReadOnlyList<IoFd>?>((IReadOnlyList<IoFd>?)null);
            }

            return Parse(call.Reply[RegionIoFdsStructure.Size..], head.Count, call.Descriptors) is { } entries
                ? new VfioResult<IReadOnlyList<IoFd>?>(entries)
                : client.Refuse($"says of the descriptors of region {region} what cannot be");
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    private static IoFd[]? Parse(ReadOnlySpan<byte> body, uint count, List<SafeFileHandle> descriptors)
    {
        if (count == 0)
            return [];
        if (count > body.Length / ShortEntry)
            return null;
        var size = body.Length / (int)count;
        if (size is not (ShortEntry or IoEventFdStructure.Size) || size * (int)count != body.Length)
            return null;
        var entries = new IoFd[count];
        var used = new HashSet<SafeFileHandle>();
        var padded = (stackalloc byte[IoEventFdStructure.Size]);
        for (var i = 0; i < entries.Length; i++)
        {
            var entry = body.Slice(i * size, size);
            entry.CopyTo(padded);
            var fields = MemoryMarshal.Read<IoEventFdStructure>(padded);
            if (fields.DescriptorIndex != IoEventFdStructure.NoDescriptor && fields.DescriptorIndex >= (uint)descriptors.Count)
                return null;
            var descriptor = fields.DescriptorIndex == IoEventFdStructure.NoDescriptor ? null : descriptors[(int)fields.DescriptorIndex];
            if (descriptor is not null)
                used.Add(descriptor);
            entries[i] = new(
                fields.Offset, fields.AccessSize, fields.Type, fields.Flags, MemoryMarshal.Read<ulong>(entry[^sizeof(ulong)..]), descriptor);
        }

        descriptors.RemoveAll(used.Contains);
        return entries;
    }
}
