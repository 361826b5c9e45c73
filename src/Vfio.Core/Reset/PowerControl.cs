using Vfio.Core.Config;
using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Reset;

/// <summary>
/// The function's power state. All changes happen with the gate held alone. Source: the kernel's <c>vfio_pci_set_power_state</c>.
/// </summary>
internal sealed class PowerControl
{
    public const int D0 = 0, D3Hot = 3;
    private readonly IPciFunction _function;
    private readonly ConfigMap _map;
    private readonly ResetNotifier _notifier;
    private readonly int _capability;
    private ConfigSnapshot? _saved;
    private volatile int _state;

    public PowerControl(IPciFunction function, ConfigMap map, ResetNotifier notifier)
    {
        _function = function;
        _map = map;
        _notifier = notifier;
        _capability = map.Standard(Pm.Id);
        if (_capability != 0)
            _state = (int)(function.ReadConfig(_capability + Pm.Control, 2) & Pm.StateMask);
    }

    /// <summary>0 for D0 to 3 for D3hot.</summary>
    public int State => _state;

    /// <summary>Goes to a power state, if the function can.</summary>
    /// <param name="state">0 to 3.</param>
    public void Set(int state)
    {
        if (_capability == 0 || state == _state || !IsAllowed(state))
            return;
        var losesState = (_function.ReadConfig(_capability + Pm.Control, 2) & Pm.NoSoftReset) == 0;
        if (state == D3Hot && losesState)
            _saved = ConfigSnapshot.Take(_function, _map.Saved);
        if (_state == D3Hot && losesState)
        {
            _notifier.Prepare(ResetCause.PowerState);
            try
            {
                var saved = _saved ?? ConfigSnapshot.Take(_function, _map.Saved);
                WriteState(state);
                saved.Restore(_function);
                _saved = null;
            }
            finally
            {
                _notifier.Done(ResetCause.PowerState);
            }
        }
        else
        {
            WriteState(state);
        }
    }

    /// <summary>Whether the function may sleep: a PF stays awake for its VFs.</summary>
    public bool MaySleep => !HasVirtualFunctions();

    /// <summary>The function was reset, which leaves it in D0.</summary>
    public void AfterReset()
    {
        _state = D0;
        _saved = null;
    }

    private bool IsAllowed(int state)
    {
        // A function goes deeper step by step or comes back to D0, and need not have D1 and D2.
        if (state != D0 && state < _state)
            return false;
        var capabilities = _function.ReadConfig(_capability + Pm.Capabilities, 2);
        if ((state == 1 && (capabilities & Pm.D1Support) == 0) || (state == 2 && (capabilities & Pm.D2Support) == 0))
            return false;
        return state == D0 || MaySleep;
    }

    private bool HasVirtualFunctions()
        => _map.Extended(SrIov.Id) is > 0 and var at && (_function.ReadConfig(at + SrIov.Control, 2) & SrIov.VfEnable) != 0;

    private void WriteState(int state)
    {
        // On the way up the whole register is cleared, as pci_power_up does; on the way down only the state changes.
        var control = state == D0 ? 0 : (_function.ReadConfig(_capability + Pm.Control, 2) & ~Pm.StateMask) | (uint)state;
        _function.WriteConfig(_capability + Pm.Control, 2, control);
        // A function may refuse.
        _state = (int)(_function.ReadConfig(_capability + Pm.Control, 2) & Pm.StateMask);
    }
}
