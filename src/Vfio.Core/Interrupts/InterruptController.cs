using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Config;
using Vfio.Core.EventFds;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Interrupts;

/// <summary>VFIO_DEVICE_SET_IRQS and VFIO_DEVICE_GET_IRQ_INFO of an open device. Thread-safe.</summary>
/// <remarks>
/// Set-up happens under one lock, the kernel's <c>igate</c>. It comes before the access gate and is never taken inside it. Source: the
/// kernel's <c>vfio_pci_intrs.c</c> and <c>vfio_set_irqs_validate_and_prepare</c>.
/// </remarks>
internal sealed partial class InterruptController
{
    private const IrqSetFlags Known = IrqSetFlags.DataMask | IrqSetFlags.ActionTypeMask;
    private readonly Lock _setUp = new();
    private readonly IInterruptLines _lines;
    private readonly Func<bool> _hasPin;
    private readonly MessageControl? _messageControl;
    private readonly HeldEventFds _held = new();
    private readonly IntxLine _intx;
    private readonly MessageVectors _messages;
    private readonly NotificationLine _error;
    private readonly NotificationLine _request;
    private readonly Action<bool> _writeIntxDisable;
    private readonly bool _reportsErrors;
    private readonly bool _hideIntx;
    private volatile int _active = -1;
    private volatile int _msiQueueMax;
    private bool _closed;

    /// <summary>The interrupts of a function.</summary>
    public InterruptController(
        IPciFunction function, ConfigMap map, ShadowConfig shadow, VirtualConfig config, bool hideIntx, ILogger logger)
        : this(function.Interrupts, () => shadow.Read(InterruptPin, 1) != 0, map.Standard(CapabilityRegisters.Express.Id) != 0, logger)
    {
        _messageControl = new(function, map, config);
        _hideIntx = hideIntx;
        // What is hidden stays disabled in the hardware, whatever the guest's own bit is.
        _writeIntxDisable = disabled => config.MergeHardware(Command, 2, CommandIntxDisable, disabled || hideIntx ? CommandIntxDisable : 0);
    }

    /// <summary>Interrupts with no function's registers behind them, and without messages.</summary>
    /// <param name="lines">The lines.</param>
    /// <param name="hasPin">Whether there is an INTx pin.</param>
    /// <param name="reportsErrors">Whether the error index is there.</param>
    /// <param name="logger">Where it is told what went wrong on nobody's behalf.</param>
    public InterruptController(IInterruptLines lines, Func<bool> hasPin, bool reportsErrors, ILogger logger)
    {
        _lines = lines;
        _hasPin = hasPin;
        _reportsErrors = reportsErrors;
        _intx = new(_lines, EventFdWatcher.Shared, _held, logger);
        _messages = new(_lines, _held);
        _error = new(_held);
        _request = new(_held);
        _writeIntxDisable = static _ => { };
    }

    /// <summary>Which index is on; null for none.</summary>
    public IrqIndex? Active => _active < 0 ? null : (IrqIndex)_active;

    /// <summary>What Multiple Message Enable may hold at most.</summary>
    public int MsiQueueMax => _msiQueueMax;

    /// <summary>What an index is.</summary>
    /// <returns>EINVAL past the last, and for errors of a function that is not PCI Express.</returns>
    public VfioResult<IrqInfo> Info(int index) => (IrqIndex)index switch
    {
        IrqIndex.Intx => new IrqInfo(IrqFlags.EventFd | IrqFlags.Maskable | IrqFlags.Automasked, Count(IrqIndex.Intx)),
        IrqIndex.Msi => new IrqInfo(IrqFlags.EventFd | IrqFlags.NoResize, Count(IrqIndex.Msi)),
        IrqIndex.Msix => new IrqInfo(
            HasDynamicMsix ? IrqFlags.EventFd : IrqFlags.EventFd | IrqFlags.NoResize, Count(IrqIndex.Msix)),
        IrqIndex.Error when _reportsErrors => new IrqInfo(IrqFlags.EventFd | IrqFlags.NoResize, 1),
        IrqIndex.Request => new IrqInfo(IrqFlags.EventFd | IrqFlags.NoResize, 1),
        _ => Errno.EINVAL,
    };

    /// <summary>Carries a request out; owns its descriptors.</summary>
    public VfioResult<int> Set(in IrqSet set)
    {
        lock (_setUp)
        {
            try
            {
                return _closed ? Errno.EINVAL : Dispatch(set);
            }
            finally
            {
                _held.DisposeOthers(set.EventFds);
            }
        }
    }

    /// <summary>Interrupt Disable was written.</summary>
    /// <param name="disabled">The bit.</param>
    /// <param name="alone">
    /// The caller holds the access gate alone, as a variant's hook does: whoever is setting interrupts up may be waiting for the gate.
    /// </param>
    public void SetIntxDisabled(bool disabled, bool alone)
    {
        if (alone)
        {
            _intx.SetDisabled(disabled, _writeIntxDisable);
            return;
        }

        lock (_setUp)
            _intx.SetDisabled(disabled, _writeIntxDisable);
    }

    /// <summary>The function goes to sleep: INTx is silent meanwhile. Called with the access gate held alone.</summary>
    /// <returns>Whether it has to be unmasked when the function wakes.</returns>
    public bool MaskIntx() => _intx.Mask();

    /// <summary>The function is awake: INTx is heard again. Called with the access gate held alone.</summary>
    public void UnmaskIntx() => _intx.Unmask();

    /// <summary>The function has reported an uncorrectable error.</summary>
    public void ReportError() => _error.Signal();

    /// <summary>Asks the client to give the device back.</summary>
    /// <returns>Whether there is anybody to ask.</returns>
    public bool Request() => _request.Signal();

    /// <summary>Turns everything off for good, and closes every eventfd.</summary>
    public void Close()
    {
        lock (_setUp)
        {
            _closed = true;
            try
            {
                DisableActive();
            }
            finally
            {
                _error.SetTrigger(null);
                _request.SetTrigger(null);
            }
        }
    }

    private bool HasDynamicMsix => Count(IrqIndex.Msix) != 0 && _lines.DynamicMsix;

    private uint Count(IrqIndex index) => index switch
    {
        IrqIndex.Intx => _hasPin() ? 1u : 0,
        IrqIndex.Error => _reportsErrors ? 1u : 0,
        IrqIndex.Request => 1,
        _ => (uint)(_messageControl?.Count(index) ?? 0),
    };

    private VfioResult<int> Dispatch(in IrqSet set)
    {
        if (set.Index >= IrqInfo.IndexCount || set.Count >= uint.MaxValue - set.Start || (set.Flags & ~Known) != 0)
            return Errno.EINVAL;
        var index = (IrqIndex)set.Index;
        var count = Count(index);
        if (set.Start >= count || set.Start + set.Count > count || !set.HasItsData())
            return Errno.EINVAL;
        return (index, set.Flags & IrqSetFlags.ActionTypeMask) switch
        {
            (IrqIndex.Intx, IrqSetFlags.ActionMask) => MaskIntx(set),
            (IrqIndex.Intx, IrqSetFlags.ActionUnmask) => UnmaskIntx(set),
            (IrqIndex.Intx, IrqSetFlags.ActionTrigger) => TriggerIntx(set),
            (IrqIndex.Msi or IrqIndex.Msix, IrqSetFlags.ActionTrigger) => TriggerMessages(index, (int)count, set),
            (IrqIndex.Error, IrqSetFlags.ActionTrigger) => _error.Set(set),
            (IrqIndex.Request, IrqSetFlags.ActionTrigger) => _request.Set(set),
            _ => Errno.ENOTTY,
        };
    }

    private VfioResult<int> MaskIntx(in IrqSet set)
    {
        if (Active != IrqIndex.Intx || set.Start != 0 || set.Count != 1)
            return Errno.EINVAL;
        if (set.Flags.HasFlag(IrqSetFlags.DataEventFd))
            return Errno.ENOTTY;
        if (set.IsMeant())
            _intx.Mask();
        return 0;
    }

    private VfioResult<int> UnmaskIntx(in IrqSet set)
    {
        if (Active != IrqIndex.Intx || set.Start != 0 || set.Count != 1)
            return Errno.EINVAL;
        if (set.Flags.HasFlag(IrqSetFlags.DataEventFd))
        {
            if (set.FirstEventFd() is { } eventFd)
                return new VfioResult<int>(_intx.AddUnmask(eventFd).Error);
            _intx.RemoveUnmask();
        }
        else if (set.IsMeant())
        {
            _intx.Unmask();
        }

        return 0;
    }

    private VfioResult<int> TriggerIntx(in IrqSet set)
    {
        if (Active == IrqIndex.Intx && set.Count == 0 && set.Flags.HasFlag(IrqSetFlags.DataNone))
        {
            DisableActive();
            return 0;
        }

        if (Active is not (null or IrqIndex.Intx) || set.Start != 0 || set.Count != 1)
            return Errno.EINVAL;
        if (set.Flags.HasFlag(IrqSetFlags.DataEventFd))
            return SetIntxTrigger(set.FirstEventFd());
        if (Active is null)
            return Errno.EINVAL;
        if (set.IsMeant())
            _intx.Loopback();
        return 0;
    }

    private VfioResult<int> SetIntxTrigger(SafeFileHandle? eventFd)
    {
        if (eventFd is not null && HeldEventFds.Check(eventFd) is { IsSuccess: false } bad)
            return bad.Error;
        if (Active == IrqIndex.Intx)
        {
            _intx.SetTrigger(eventFd);
            return 0;
        }

        var result = _intx.Enable(eventFd);
        if (result.IsSuccess)
            _active = (int)IrqIndex.Intx;
        return new VfioResult<int>(result.Error);
    }

    private void DisableActive()
    {
        var active = Active;
        _active = -1;
        switch (active)
        {
            case IrqIndex.Intx:
                _intx.Disable();
                break;
            case { } index:
                DisableMessages(index);
                break;
        }
    }
}
