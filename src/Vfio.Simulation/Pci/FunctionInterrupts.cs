using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Simulation.Pci;

/// <summary>
/// A function's MSI-X vectors and INTx pin. What the host set up through <see cref="IInterruptLines"/> stands for the addresses that its
/// kernel would have written into the table; it survives a function level reset, as the kernel restores them. Thread-safe.
/// </summary>
internal sealed class FunctionInterrupts : IInterruptLines
{
    private readonly Lock _sync = new();
    private readonly ConfigSpace _config;
    private readonly int _msixControl;
    private readonly MsixTable _table;
    private readonly SafeFileHandle?[] _triggers;
    private readonly bool _hasPin;
    private volatile Action? _onIntx;
    private volatile bool _intx;
    private volatile bool _msix;
    private IrqIndex? _enabled;
    private int _size;

    /// <param name="config">Where the MSI-X capability lies.</param>
    /// <param name="msix">Its offset.</param>
    /// <param name="vectors">The vectors that there is room for; the capability says how many there are now.</param>
    /// <param name="hasPin">Whether there is an INTx pin.</param>
    internal FunctionInterrupts(ConfigSpace config, int msix, int vectors, bool hasPin)
    {
        _config = config;
        _msixControl = msix + Capabilities.Msix.Control;
        _table = new(vectors);
        _triggers = new SafeFileHandle?[vectors];
        _hasPin = hasPin;
        _size = vectors;
        config.OnWrite(_msixControl, OnControl);
        if (hasPin)
            config.OnWrite(ConfigOffset.Command, OnCommand);
    }

    /// <summary>The vectors that the function has now.</summary>
    internal int TableSize => Volatile.Read(ref _size);

    internal int TableBytes => _table.TableBytes;

    internal int PendingBytes => _table.PendingBytes;

    public bool DynamicMsix => true;

    public bool IntxAsserted => _intx && !PinDisabled;

    public int Count(IrqIndex index) => index switch
    {
        IrqIndex.Intx => _hasPin ? 1 : 0,
        IrqIndex.Msix => TableSize,
        _ => 0,
    };

    /// <summary>Told when messages take over from the pin, or the pin from messages.</summary>
    internal Action? Switched { get; set; }

    public VfioResult<int> Enable(IrqIndex index, int vectors)
    {
        Action? raise = null;
        lock (_sync)
        {
            var count = Count(index);
            if (count == 0 || vectors < 1 || _enabled is not null)
                return Errno.EINVAL;
            if (vectors > count)
                return count;
            _enabled = index;
            _msix = index == IrqIndex.Msix;
            if (_msix)
                ShowEnabled();
            else if (IntxAsserted)
                raise = _onIntx;
        }

        raise?.Invoke();
        if (index == IrqIndex.Msix)
            Switched?.Invoke();
        return vectors;
    }

    public void Disable(IrqIndex index)
    {
        lock (_sync)
        {
            if (_enabled != index)
                return;
            _enabled = null;
            _msix = false;
            Array.Clear(_triggers);
            _table.Reset();
            _config.Set(_msixControl, Capabilities.Msix.Enable, 0);
        }

        if (index == IrqIndex.Msix)
            Switched?.Invoke();
    }

    public VfioResult SetTrigger(IrqIndex index, int vector, SafeFileHandle? eventFd)
    {
        lock (_sync)
        {
            if (index != IrqIndex.Msix || _enabled != index || (uint)vector >= (uint)_size)
                return Errno.EINVAL;
            _triggers[vector] = eventFd;
            _table.SetMasked(vector, eventFd is null);
            if (eventFd is not null)
                DeliverPending(vector);
        }

        return VfioResult.Success;
    }

    public void OnIntxAsserted(Action? asserted) => _onIntx = asserted;

    /// <summary>Whether interrupts go by message, so that the pin is silent.</summary>
    internal bool MsixEnabled => _msix;

    /// <summary>Whether there is an INTx pin.</summary>
    internal bool HasPin => _hasPin;

    /// <summary>The device sends a vector's message. Never blocks.</summary>
    internal void Signal(int vector)
    {
        lock (_sync)
        {
            if (_enabled != IrqIndex.Msix || (uint)vector >= (uint)_size)
                return;
            if (FunctionMasked || _table.IsMasked(vector))
                _table.SetPending(vector);
            else
                SignalTrigger(vector);
        }
    }

    /// <summary>The device drives its pin.</summary>
    internal void SetPin(bool asserted)
    {
        if (!_hasPin || _intx == asserted)
            return;
        _intx = asserted;
        _config.Set(ConfigOffset.Status, ConfigOffset.StatusInterrupt, asserted ? uint.MaxValue : 0);
        if (asserted)
            TellAsserted();
    }

    internal uint ReadTable(int dword)
    {
        lock (_sync)
            return _table.ReadTable(dword);
    }

    internal uint ReadPending(int dword)
    {
        lock (_sync)
            return _table.ReadPending(dword);
    }

    internal void WriteTable(int dword, uint value)
    {
        lock (_sync)
        {
            var unmasked = _table.WriteTable(dword, value);
            if (unmasked >= 0)
                DeliverPending(unmasked);
        }
    }

    /// <summary>Changes how many vectors the function has: provisioning, while nobody uses it.</summary>
    internal void Resize(int vectors)
    {
        lock (_sync)
        {
            Volatile.Write(ref _size, Math.Min(vectors, _triggers.Length));
            _config.SetDefault(_msixControl, Capabilities.Msix.SizeMask, (uint)Math.Max(_size - 1, 0));
        }
    }

    /// <summary>After configuration space was reset: table and pending bits at their defaults, the host's set-up restored.</summary>
    internal void Reset()
    {
        lock (_sync)
        {
            _intx = false;
            _table.Reset();
            if (_enabled != IrqIndex.Msix)
                return;
            ShowEnabled();
            for (var i = 0; i < _triggers.Length; i++)
                _table.SetMasked(i, _triggers[i] is null);
        }
    }

    private bool FunctionMasked => (_config.Read(_msixControl, 2) & Capabilities.Msix.FunctionMask) != 0;

    private void ShowEnabled() => _config.Set(_msixControl, Capabilities.Msix.Enable, Capabilities.Msix.Enable);

    private bool PinDisabled => (_config.Read(ConfigOffset.Command, 2) & ConfigOffset.CommandInterruptDisable) != 0;

    private void TellAsserted()
    {
        lock (_sync)
        {
            if (_enabled != IrqIndex.Intx || !IntxAsserted)
                return;
        }

        _onIntx?.Invoke();
    }

    // The pin follows the status as soon as it is no longer disabled.
    private void OnCommand(ConfigWrite write)
    {
        if ((write.Before & ~write.After & ConfigOffset.CommandInterruptDisable) != 0)
            TellAsserted();
    }

    private void OnControl(ConfigWrite write)
    {
        lock (_sync)
        {
            if (FunctionMasked)
                return;
            for (var i = 0; i < _size; i++)
                DeliverPending(i);
        }
    }

    // A descriptor that is no eventfd any more is the client's loss: nothing of the device depends on it.
    private void SignalTrigger(int vector)
    {
        if (_triggers[vector] is { } trigger)
            _ = EventFd.Signal(trigger);
    }

    private void DeliverPending(int vector)
    {
        if (_enabled == IrqIndex.Msix && !FunctionMasked && !_table.IsMasked(vector) && _table.TakePending(vector))
            SignalTrigger(vector);
    }
}
