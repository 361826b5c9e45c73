using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>DEVICE_GET_REGION_IO_FDS: the eventfds that stand for writes to a region.</summary>
internal static class RegionIoFdsCommand
{
    public static VfioResult<int> Get(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<RegionIoFdsStructure>(request.Body, out var asked)
            || asked.ArgSize is < RegionIoFdsStructure.Size or > Limits.DataTransfer
            || asked.Flags != 0 || asked.Count != 0 || asked.Index >= session.RegionCount)
        {
            return Errno.EINVAL;
        }

        var info = session.Device.GetRegionInfo((int)asked.Index);
        if (!info.IsSuccess || info.Value.Flags == RegionFlags.None)
            return Errno.EINVAL;
        var found = session.Device.GetIoEventFds((int)asked.Index);
        if (!found.IsSuccess)
            return found.Error;
        var events = found.Value;
        var needed = RegionIoFdsStructure.Size + ((long)events.Count * IoEventFdStructure.Size);
        if (needed > Limits.DataTransfer)
            throw new InvalidOperationException($"The device has {events.Count} ioeventfds in one region.");
        asked.Count = (uint)events.Count;
        var length = needed <= asked.ArgSize ? (int)needed : RegionIoFdsStructure.Size;
        asked.ArgSize = (uint)needed;
        var payload = reply.Payload(length);
        MemoryMarshal.Write(payload, asked);
        if (length == RegionIoFdsStructure.Size)
            return length;
        return WriteEntries(session, events, payload[RegionIoFdsStructure.Size..], reply) ? length : Errno.EINVAL;
    }

    // The youngest first, and each descriptor once, as libvfio-user answers.
    private static bool WriteEntries(ClientSession session, IReadOnlyList<RegionIoEventFd> events, Span<byte> entries, Reply reply)
    {
        var most = session.Client.MessageDescriptors ?? Libc.SCM_MAX_FD;
        var indexes = new Dictionary<SafeFileHandle, int>(ReferenceEqualityComparer.Instance);
        for (var i = events.Count - 1; i >= 0; i--)
        {
            var one = events[i];
            var index = -1;
            if (!one.EventFd.IsInvalid && !indexes.TryGetValue(one.EventFd, out index))
            {
                if (indexes.Count == Math.Min(most, Libc.SCM_MAX_FD))
                {
                    reply.Clear();
                    return false;
                }

                index = reply.Attach(one.EventFd);
                indexes.Add(one.EventFd, index);
            }

            MemoryMarshal.Write(entries, new IoEventFdStructure
            {
                Offset = one.Offset,
                AccessSize = one.Size,
                DescriptorIndex = index < 0 ? IoEventFdStructure.NoDescriptor : (uint)index,
                Flags = one.Flags,
                DataMatch = one.DataMatch,
            });
            entries = entries[IoEventFdStructure.Size..];
        }

        return true;
    }
}
