using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Wire;

namespace Vfio.User.Client.Devices;

/// <summary>GET_IRQ_INFO and SET_IRQS.</summary>
internal static class IrqCalls
{
    public static VfioResult<IrqInfo> GetInfo(VfioUserClient client, int index)
    {
        var request = new IrqInfoStructure { ArgSize = IrqInfoStructure.Size, Index = (uint)index };
        if (client.Caller.Begin(Command.DeviceGetIrqInfo, request, IrqInfoStructure.Size) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            var result = client.Caller.Call(call);
            if (!result.IsSuccess)
                return result.Error;
            return MemoryMarshal.TryRead<IrqInfoStructure>(call.Reply, out var info)
                ? new IrqInfo((IrqFlags)info.Flags, info.Count) : client.Refuse($"answers GET_IRQ_INFO with {result.Value} bytes");
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    /// <summary>
    /// Sends a request, in as many messages as the server's limit of descriptors asks for. A null among eventfds has no place in a message:
    /// runs of nulls are messages without descriptors.
    /// </summary>
    public static VfioResult<int> Set(VfioUserClient client, in IrqSet set)
    {
        if (!set.Flags.HasFlag(IrqSetFlags.DataEventFd) || set.EventFds.IsEmpty)
            return Send(client, set, set.Start, set.Count, set.Bools, []);
        if ((uint)set.EventFds.Length != set.Count || set.Start > uint.MaxValue - set.Count)
            return Errno.EINVAL;
        var most = client.Server.MaxMessageDescriptors;
        for (var at = 0; at < set.EventFds.Length;)
        {
            var isNull = set.EventFds[at] is null;
            var end = at + 1;
            while (end < set.EventFds.Length && set.EventFds[end] is null == isNull && (isNull || end - at < most))
                end++;
            if (!isNull && most == 0)
                return Errno.EOPNOTSUPP;
            var sent = Send(client, set, set.Start + (uint)at, (uint)(end - at), [], isNull ? [] : set.EventFds[at..end]);
            if (!sent.IsSuccess)
                return sent;
            at = end;
        }

        return 0;
    }

    private static VfioResult<int> Send(
        VfioUserClient client, in IrqSet set, uint start, uint count, ReadOnlySpan<byte> bools, ReadOnlySpan<SafeFileHandle?> events)
    {
        if (bools.Length > client.MaxWrite)
            return Errno.EINVAL;
        var request = new SetIrqsStructure
        {
            ArgSize = (uint)(SetIrqsStructure.Size + bools.Length),
            Flags = (uint)set.Flags,
            Index = set.Index,
            Start = start,
            Count = count,
        };
        if (client.Caller.Begin(Command.DeviceSetIrqs, request, 0) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            var result = client.Caller.Call(call, bools, events!);
            return result.IsSuccess ? 0 : result.Error;
        }
        finally
        {
            client.Caller.End(call);
        }
    }
}
