using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS.</summary>
internal static class IrqCommands
{
    public static VfioResult<int> GetInfo(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<IrqInfoStructure>(request.Body, out var asked) || asked.ArgSize < IrqInfoStructure.Size
            || asked.Index >= session.IrqCount)
        {
            return Errno.EINVAL;
        }

        var found = session.Device.GetIrqInfo((int)asked.Index);
        if (!found.IsSuccess)
            return found.Error;
        asked.ArgSize = IrqInfoStructure.Size;
        asked.Flags = (uint)found.Value.Flags;
        asked.Count = found.Value.Count;
        MemoryMarshal.Write(reply.Payload(IrqInfoStructure.Size), asked);
        return IrqInfoStructure.Size;
    }

    public static VfioResult<int> Set(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<SetIrqsStructure>(request.Body, out var asked) || asked.ArgSize < SetIrqsStructure.Size)
            return Errno.EINVAL;
        var data = (ReadOnlySpan<byte>)request.Body[SetIrqsStructure.Size..];
        var flags = (IrqSetFlags)asked.Flags;
        var set = new IrqSet { Flags = flags, Index = asked.Index, Start = asked.Start, Count = asked.Count };
        switch (flags & IrqSetFlags.DataMask)
        {
            case IrqSetFlags.DataNone when request.Descriptors.Count == 0:
                return Result(session.Device.SetIrqs(set));
            case IrqSetFlags.DataBool when request.Descriptors.Count == 0 && data.Length == asked.Count:
                return Result(session.Device.SetIrqs(set with { Bools = data }));
            case IrqSetFlags.DataEventFd:
                var events = EventFds.Take(request.Descriptors, asked, data);
                return events.IsSuccess ? Result(session.Device.SetIrqs(set with { EventFds = events.Value })) : events.Error;
            default:
                return Errno.EINVAL;
        }
    }

    // The kernel's positive answer, how many vectors there are, has no place in the protocol's reply.
    private static VfioResult<int> Result(VfioResult<int> result)
        => result is { IsSuccess: true, Value: > 0 } ? Errno.ENOSPC : result.IsSuccess ? 0 : result.Error;
}

/// <summary>Turns the descriptors of a SET_IRQS into one for each sub-index.</summary>
internal static class EventFds
{
    /// <summary>Takes them.</summary>
    /// <param name="descriptors">What came: nothing (detach all), one for each sub-index, or those that an index array names.</param>
    /// <param name="asked">The request.</param>
    /// <param name="data">
    /// What follows it: nothing by the specification. One client appends an index into the descriptors for each sub-index, -1 for none, in
    /// the manner of the kernel's array; anything else is passed over.
    /// </param>
    /// <returns>EINVAL: not one of these, or not an eventfd.</returns>
    public static VfioResult<SafeFileHandle?[]> Take(DescriptorList descriptors, in SetIrqsStructure asked, ReadOnlySpan<byte> data)
    {
        var hasIndexes = !data.IsEmpty && data.Length == (long)asked.Count * sizeof(int)
            && asked.ArgSize == (long)SetIrqsStructure.Size + data.Length;
        if (descriptors.Overflowed || (!hasIndexes && descriptors.Count != 0 && descriptors.Count != asked.Count))
            return Errno.EINVAL;
        if (descriptors.Count == 0 && !hasIndexes)
            return Array.Empty<SafeFileHandle?>();
        var events = new SafeFileHandle?[asked.Count];
        var indexes = MemoryMarshal.Cast<byte, int>(hasIndexes ? data : default);
        var left = new bool[descriptors.Count];
        left.AsSpan().Fill(true);
        for (var i = 0; i < events.Length; i++)
        {
            var index = hasIndexes ? indexes[i] : i;
            if (index == -1)
                continue;
            if ((uint)index >= (uint)left.Length || !left[index])
                return Refuse(events);
            left[index] = false;
            events[i] = descriptors.Take(index);
            // Anything else that can be written would swallow 8 bytes for each interrupt, or block.
            if (!EventFd.IsEventFd(events[i]!))
                return Refuse(events);
        }

        return events;
    }

    private static Errno Refuse(SafeFileHandle?[] events)
    {
        foreach (var one in events)
            one?.Dispose();
        return Errno.EINVAL;
    }
}
