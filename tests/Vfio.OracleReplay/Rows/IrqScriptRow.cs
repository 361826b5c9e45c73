using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Rows;

/// <summary>The recorder's sequence of calls on one IRQ index, in order; each step's result.</summary>
internal sealed class IrqScriptRow(DeviceReplay replay) : RowReplay
{
    private static readonly string[] Steps =
    [
        "enable with a bad descriptor", "enable", "trigger", "read the eventfd", "trigger by byte", "read the eventfd", "mask", "unmask",
        "unmask by eventfd", "enable another index", "detach", "trigger", "disable", "disable again", "enable vectors 1 and 2", "disable",
    ];

    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        var expected = row.List("results");
        if (expected.Count != Steps.Length)
            return RowResult.NotComparable($"a script of {expected.Count} steps; known is the one of {Steps.Length}");
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var index = (IrqIndex)row.Int("index");
        var comparison = new Comparison();
        var step = 0;
        foreach (var actual in Run(open.Device, index))
        {
            if (!expected[step].TryGetInt32(out var result))
                throw row.Wrong("results", "list of numbers");
            comparison.Number($"results[{step}] ({Steps[step]})", result, actual);
            step++;
        }

        return RowResult.Of(comparison);
    }

    private static IEnumerable<int> Run(VfioDevice device, IrqIndex index)
    {
        using var client = EventFd.Create();
        var bad = EventFd.Create();
        bad.Dispose();
        yield return EventFds(device, index, IrqSetFlags.ActionTrigger, 0, bad);
        yield return EventFds(device, index, IrqSetFlags.ActionTrigger, 0, Duplicate(client));
        yield return None(device, index, IrqSetFlags.ActionTrigger, 1);
        yield return Taken(client);
        yield return Byte(device, index);
        yield return Taken(client);
        yield return None(device, index, IrqSetFlags.ActionMask, 1);
        yield return None(device, index, IrqSetFlags.ActionUnmask, 1);
        yield return EventFds(device, index, IrqSetFlags.ActionUnmask, 0, EventFd.Create());
        yield return EventFds(device, index == IrqIndex.Msi ? IrqIndex.Msix : IrqIndex.Msi, IrqSetFlags.ActionTrigger, 0, EventFd.Create());
        yield return EventFds(device, index, IrqSetFlags.ActionTrigger, 0, [null]);
        yield return None(device, index, IrqSetFlags.ActionTrigger, 1);
        yield return None(device, index, IrqSetFlags.ActionTrigger, 0);
        yield return None(device, index, IrqSetFlags.ActionTrigger, 0);
        yield return EventFds(device, index, IrqSetFlags.ActionTrigger, 1, EventFd.Create(), EventFd.Create());
        yield return None(device, index, IrqSetFlags.ActionTrigger, 0);
    }

    private static int EventFds(VfioDevice device, IrqIndex index, IrqSetFlags action, uint start, params SafeFileHandle?[] eventFds)
        => Results.Recorded(device.SetIrqs(new()
        {
            Index = (uint)index, Flags = IrqSetFlags.DataEventFd | action,
            Start = start, Count = (uint)eventFds.Length, EventFds = eventFds,
        }));

    private static int None(VfioDevice device, IrqIndex index, IrqSetFlags action, uint count)
        => Results.Recorded(device.SetIrqs(new() { Index = (uint)index, Flags = IrqSetFlags.DataNone | action, Count = count }));

    private static int Byte(VfioDevice device, IrqIndex index)
        => Results.Recorded(device.SetIrqs(new()
        {
            Index = (uint)index, Flags = IrqSetFlags.DataBool | IrqSetFlags.ActionTrigger, Count = 1, Bools = [1],
        }));

    private static int Taken(SafeFileHandle client) => EventFd.Consume(client) is > 0 and var count ? (int)count : -(int)Errno.EAGAIN;

    private static SafeFileHandle Duplicate(SafeFileHandle eventFd)
    {
        var copy = new SafeFileHandle(Libc.fcntl(eventFd, Libc.F_DUPFD_CLOEXEC, 0), ownsHandle: true);
        return copy.IsInvalid ? throw VfioException.FromLibc("a second descriptor of an eventfd") : copy;
    }
}
