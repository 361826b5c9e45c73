using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Interrupts;

/// <summary>VFIO_DEVICE_SET_IRQS in short.</summary>
internal static class Requests
{
    public static int Trigger(this VfioDevice device, IrqIndex index, uint start, params SafeFileHandle?[] eventFds)
        => Send(device, new()
        {
            Index = (uint)index, Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, Start = start, Count = (uint)eventFds.Length, EventFds = eventFds,
        });

    public static int None(this VfioDevice device, IrqIndex index, IrqSetFlags action, uint count = 1, uint start = 0)
        => Send(device, new() { Index = (uint)index, Flags = IrqSetFlags.DataNone | action, Start = start, Count = count });

    public static int Bool(this VfioDevice device, IrqIndex index, IrqSetFlags action, params byte[] bools)
        => Send(device, new() { Index = (uint)index, Flags = IrqSetFlags.DataBool | action, Count = (uint)bools.Length, Bools = bools });

    public static int Unmask(this VfioDevice device, SafeFileHandle? eventFd) => Unmask(device, IrqIndex.Intx, eventFd);

    public static int Unmask(this VfioDevice device, IrqIndex index, SafeFileHandle? eventFd)
        => Send(device, new() { Index = (uint)index, Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionUnmask, Count = 1, EventFds = [eventFd] });

    public static int Mask(this VfioDevice device, SafeFileHandle? eventFd)
        => Send(device, new() { Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionMask, Count = 1, EventFds = [eventFd] });

    public static int Disable(this VfioDevice device, IrqIndex index) => None(device, index, IrqSetFlags.ActionTrigger, 0);

    /// <summary>A second descriptor of an eventfd: the client's own, which the device does not close.</summary>
    public static SafeFileHandle Duplicate(SafeFileHandle eventFd)
        => new(Libc.fcntl(eventFd, Libc.F_DUPFD_CLOEXEC, 0), ownsHandle: true);

    /// <summary>The result as the kernel would return it: a count, or an errno negated.</summary>
    private static int Send(VfioDevice device, IrqSet set)
    {
        var result = device.SetIrqs(set);
        return result.IsSuccess ? result.Value : -(int)result.Error;
    }
}
