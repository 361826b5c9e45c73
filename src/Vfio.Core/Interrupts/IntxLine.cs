using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.EventFds;
using Vfio.Native;

namespace Vfio.Core.Interrupts;

/// <summary>
/// The level-triggered interrupt: it masks itself when it fires, and fires again on unmask while its line is still asserted. Set-up comes
/// from one thread at a time; the function asserts, and an eventfd unmasks, from any.
/// </summary>
/// <remarks>
/// The lock is the kernel's <c>irqlock</c>: innermost, held for the signal, never while the function is called, because the function calls
/// in here with locks of its own. For the same reason masking is a flag, and not a write of Interrupt Disable from the function's own
/// thread.
/// </remarks>
internal sealed class IntxLine(IInterruptLines lines, EventFdWatcher watcher, HeldEventFds held, ILogger logger)
{
    private readonly Lock _line = new();
    private bool _active;
    private bool _masked;
    private bool _disabled;
    private SafeFileHandle? _trigger;
    private EventFdWatch? _unmask;

    /// <summary>Turns INTx on; <paramref name="trigger"/> may be null, and is then set later.</summary>
    /// <returns>ENODEV: the function has no INTx that works.</returns>
    public VfioResult Enable(SafeFileHandle? trigger)
    {
        lock (_line)
        {
            _active = true;
            _masked = _disabled;
            _trigger = trigger;
        }

        if (trigger is not null)
            held.Keep(trigger);
        var works = false;
        try
        {
            lines.OnIntxAsserted(OnAsserted);
            if (lines.Enable(IrqIndex.Intx, 1) is { IsSuccess: true, Value: 1 })
            {
                FireIfAsserted();
                works = true;
            }
        }
        finally
        {
            if (!works)
                Disable();
        }

        return works ? VfioResult.Success : Errno.ENODEV;
    }

    /// <summary>Turns INTx off; nothing is signalled after it has returned.</summary>
    public void Disable()
    {
        try
        {
            lines.Disable(IrqIndex.Intx);
            lines.OnIntxAsserted(null);
        }
        finally
        {
            RemoveUnmask();
            lock (_line)
                _active = false;
            SetTrigger(null);
        }
    }

    /// <summary>Says where the interrupt signals from now on; null for nowhere.</summary>
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

    /// <summary>Fires the eventfd as if the function had asserted its line, but for the masking.</summary>
    public void Loopback()
    {
        lock (_line)
        {
            if (_active && !_disabled)
                Signal();
        }
    }

    /// <summary>Masks.</summary>
    /// <returns>Whether it is on, and was not masked before.</returns>
    public bool Mask()
    {
        lock (_line)
        {
            var changes = _active && !_masked;
            _masked = true;
            return changes;
        }
    }

    /// <summary>Unmasks; where the line is still asserted, the interrupt fires at once and stays masked.</summary>
    public void Unmask()
    {
        lock (_line)
        {
            if (!_active || !_masked || _disabled)
                return;
            _masked = false;
        }

        FireIfAsserted();
    }

    /// <summary>Lets an eventfd unmask from now on.</summary>
    /// <returns>EBUSY: one does already.</returns>
    public VfioResult AddUnmask(SafeFileHandle eventFd)
    {
        var check = HeldEventFds.Check(eventFd);
        if (!check.IsSuccess)
            return check;
        if (_unmask is not null)
            return Errno.EBUSY;
        var watch = watcher.Add(eventFd, _ => Unmask(), logger);
        if (watch.IsSuccess)
            _unmask = watch.Value;
        return new VfioResult(watch.Error);
    }

    /// <summary>Ends unmasking by eventfd, if there is one.</summary>
    public void RemoveUnmask()
    {
        if (_unmask is not { } watch)
            return;
        _unmask = null;
        watcher.Remove(watch);
    }

    /// <summary>The guest's Interrupt Disable changed: masks, or unmasks.</summary>
    /// <param name="disabled">The bit.</param>
    /// <param name="writeHardware">Makes the hardware's bit follow.</param>
    public void SetDisabled(bool disabled, Action<bool> writeHardware)
    {
        lock (_line)
        {
            if (_disabled == disabled)
                return;
            _disabled = disabled;
            _masked |= disabled;
        }

        writeHardware(disabled);
        if (!disabled)
            Unmask();
    }

    private void OnAsserted()
    {
        lock (_line)
        {
            if (!_active || _masked)
                return;
            _masked = true;
            Signal();
        }
    }

    // The function told of the assertion already, or the line rose while nobody listened: either way it fires once, because firing masks.
    private void FireIfAsserted()
    {
        if (lines.IntxAsserted)
            OnAsserted();
    }

    private void Signal()
    {
        if (_trigger is not null)
            EventFd.Signal(_trigger);
    }
}
