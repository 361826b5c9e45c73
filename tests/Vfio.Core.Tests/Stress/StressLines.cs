using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Core.Tests.Stress;

/// <summary>
/// Interrupts that are fired from other threads all the time. The function's own lock is held wherever it calls the core.
/// </summary>
internal sealed class StressLines(Violations violations) : IInterruptLines
{
    public const int Vectors = 4;
    private readonly Lock _function = new();
    private readonly SafeFileHandle?[] _triggers = new SafeFileHandle?[Vectors];
    private IrqIndex? _enabled;
    private Action? _onAsserted;
    private bool _asserted;
    private long _rounds;

    public bool DynamicMsix => true;

    /// <summary>How often every vector was fired.</summary>
    public long Rounds => Interlocked.Read(ref _rounds);

    public bool IntxAsserted
    {
        get
        {
            lock (_function)
                return _asserted;
        }
    }

    public int Count(IrqIndex index) => index == IrqIndex.Intx ? 1 : Vectors;

    public VfioResult<int> Enable(IrqIndex index, int vectors)
    {
        lock (_function)
        {
            violations.Check(_enabled is null, $"{index} is enabled while {_enabled} is");
            _enabled = index;
            return vectors;
        }
    }

    public void Disable(IrqIndex index)
    {
        lock (_function)
        {
            if (_enabled != index)
                return;
            _enabled = null;
            Array.Clear(_triggers);
        }
    }

    public VfioResult SetTrigger(IrqIndex index, int vector, SafeFileHandle? eventFd)
    {
        lock (_function)
        {
            violations.Check(_enabled == index, $"vector {vector} of {index} is set while {_enabled} is enabled");
            _triggers[vector] = eventFd;
            return VfioResult.Success;
        }
    }

    public void OnIntxAsserted(Action? asserted)
    {
        lock (_function)
            _onAsserted = asserted;
    }

    public void SetAsserted(bool asserted)
    {
        lock (_function)
        {
            var rises = asserted && !_asserted;
            _asserted = asserted;
            if (rises && _enabled == IrqIndex.Intx)
                _onAsserted?.Invoke();
        }
    }

    public void FireAll()
    {
        lock (_function)
        {
            foreach (var trigger in _triggers)
            {
                if (trigger is not null)
                    violations.Check(!trigger.IsClosed && EventFd.Signal(trigger), "a vector's eventfd is closed while it is set");
            }

            _rounds++;
        }
    }
}
