using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Core.Interrupts;

/// <summary>The error and the request index: one eventfd each. Source: the kernel's <c>vfio_pci_set_ctx_trigger_single</c>.</summary>
internal sealed class NotificationLine(HeldEventFds held)
{
    private readonly Lock _line = new();
    private SafeFileHandle? _trigger;

    /// <summary>Signals, if somebody listens.</summary>
    public bool Signal()
    {
        lock (_line)
        {
            if (_trigger is null)
                return false;
            EventFd.Signal(_trigger);
            return true;
        }
    }

    /// <summary>Says whom to signal from now on; null for no one.</summary>
    public void SetTrigger(SafeFileHandle? trigger)
    {
        if (trigger is not null)
            held.Keep(trigger);
        SafeFileHandle? before;
        lock (_line)
        {
            before = _trigger;
            _trigger = trigger;
        }

        held.Release(before);
    }

    /// <summary>A trigger request for the index; the action and the range have been checked.</summary>
    public VfioResult<int> Set(in IrqSet set)
    {
        if (set.Start != 0 || set.Count > 1)
            return Errno.EINVAL;
        switch (set.Flags & IrqSetFlags.DataMask)
        {
            case IrqSetFlags.DataNone when set.Count == 1:
                return Signal() ? 0 : Errno.EINVAL;
            case IrqSetFlags.DataNone:
                if (_trigger is null)
                    return Errno.EINVAL;
                SetTrigger(null);
                return 0;
            case IrqSetFlags.DataBool when set.Count == 1:
                if (set.Bools[0] != 0)
                    Signal();
                return 0;
            case IrqSetFlags.DataEventFd when set.Count == 1:
                var eventFd = set.FirstEventFd();
                if (eventFd is not null && HeldEventFds.Check(eventFd) is { IsSuccess: false } bad)
                    return bad.Error;
                SetTrigger(eventFd);
                return 0;
            default:
                return Errno.EINVAL;
        }
    }
}
