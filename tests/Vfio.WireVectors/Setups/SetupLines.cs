using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.WireVectors.Setups;

/// <summary>The interrupts of a set-up's function.</summary>
internal sealed class SetupLines(Setup setup) : IInterruptLines
{
    private readonly Lock _lock = new();
    private readonly SafeFileHandle?[] _triggers = new SafeFileHandle?[Math.Max(setup.MsiVectors, setup.MsixVectors)];
    private IrqIndex? _enabled;

    public bool DynamicMsix => true;

    public bool IntxAsserted => false;

    public int Count(IrqIndex index) => index switch
    {
        IrqIndex.Intx => setup.HasIntx ? 1 : 0,
        IrqIndex.Msi => setup.MsiVectors,
        IrqIndex.Msix => setup.MsixVectors,
        _ => 0,
    };

    public VfioResult<int> Enable(IrqIndex index, int vectors)
    {
        lock (_lock)
        {
            if (_enabled is not null)
                return Errno.EBUSY;
            _enabled = index;
            return vectors;
        }
    }

    public void Disable(IrqIndex index)
    {
        lock (_lock)
        {
            if (_enabled != index)
                return;
            _enabled = null;
            Array.Clear(_triggers);
        }
    }

    public VfioResult SetTrigger(IrqIndex index, int vector, SafeFileHandle? eventFd)
    {
        lock (_lock)
        {
            if (_enabled != index || (uint)vector >= (uint)_triggers.Length)
                return Errno.EINVAL;
            _triggers[vector] = eventFd;
            return VfioResult.Success;
        }
    }

    public void OnIntxAsserted(Action? asserted)
    {
    }

    /// <summary>The function fires a vector.</summary>
    /// <returns>EINVAL: it has no such vector. ENOENT: nobody waits for it.</returns>
    public VfioResult Fire(uint vector)
    {
        lock (_lock)
        {
            if (vector >= _triggers.Length)
                return Errno.EINVAL;
            return _triggers[vector] is { } trigger && EventFd.Signal(trigger) ? VfioResult.Success : Errno.ENOENT;
        }
    }
}
