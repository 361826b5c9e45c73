using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Core.Tests.Scripted;

/// <summary>Interrupts that a test fires.</summary>
internal sealed class ScriptedLines : IInterruptLines
{
    private readonly Lock _changing = new();
    private readonly Dictionary<int, SafeFileHandle> _triggers = [];
    private Action? _asserted;
    private bool _isAsserted;

    public int Intx { get; set; } = 1;

    public int Msi { get; set; }

    public int Msix { get; set; }

    /// <summary>How many vectors can be had; int.MaxValue for all.</summary>
    public int Obtainable { get; set; } = int.MaxValue;

    public bool DynamicMsix { get; set; } = true;

    /// <summary>Runs when vectors have been enabled.</summary>
    public Action? OnEnable { get; set; }

    /// <summary>Runs before a kind is turned off.</summary>
    public Action? OnDisable { get; set; }

    /// <summary>Runs when somebody asks whether the line is asserted.</summary>
    public Action? OnAsked { get; set; }

    public IrqIndex? Enabled { get; private set; }

    public int EnabledVectors { get; private set; }

    public int Count(IrqIndex index) => index switch { IrqIndex.Intx => Intx, IrqIndex.Msi => Msi, IrqIndex.Msix => Msix, _ => 0 };

    public VfioResult<int> Enable(IrqIndex index, int vectors)
    {
        if (Enabled is not null)
            return Errno.EBUSY;
        if (vectors > Math.Min(Count(index), Obtainable))
            return Math.Min(Count(index), Obtainable);
        Enabled = index;
        EnabledVectors = vectors;
        OnEnable?.Invoke();
        return vectors;
    }

    public void Disable(IrqIndex index)
    {
        if (Enabled != index)
            return;
        OnDisable?.Invoke();
        lock (_changing)
            _triggers.Clear();
        Enabled = null;
    }

    public VfioResult SetTrigger(IrqIndex index, int vector, SafeFileHandle? eventFd)
    {
        Assert.Equal(Enabled, index);
        lock (_changing)
        {
            if (eventFd is null)
                _triggers.Remove(vector);
            else
                _triggers[vector] = eventFd;
        }

        return VfioResult.Success;
    }

    public bool IntxAsserted
    {
        get
        {
            OnAsked?.Invoke();
            return _isAsserted;
        }
    }

    public void OnIntxAsserted(Action? asserted) => _asserted = asserted;

    public void SetAsserted(bool asserted)
    {
        var rises = asserted && !_isAsserted;
        _isAsserted = asserted;
        if (rises && Enabled == IrqIndex.Intx)
            _asserted?.Invoke();
    }

    /// <summary>The function fires a vector.</summary>
    public void Fire(int vector)
    {
        lock (_changing)
        {
            if (_triggers.TryGetValue(vector, out var eventFd))
                Assert.True(EventFd.Signal(eventFd));
        }
    }

    public int TriggerCount
    {
        get
        {
            lock (_changing)
                return _triggers.Count;
        }
    }
}
