namespace Vfio.Core.Tests.Model;

/// <summary>The power state by linux-vfio.md 2.8 and, where it is silent, <c>pci_set_power_state</c> of drivers/pci/pci.c.</summary>
internal sealed class PowerModel
{
    private readonly ModelFunction _hardware;
    private readonly int _at;
    private readonly int _virtualization;

    public PowerModel(ModelFunction hardware, int at, int virtualization)
    {
        _hardware = hardware;
        _virtualization = virtualization;
        _at = at;
        State = _at == 0 ? 0 : hardware.Registers[_at + 4] & 3;
    }

    public int State { get; private set; }

    public void Enter(int state)
    {
        if (_at == 0 || state == State)
            return;
        if (state == 0)
        {
            WakeForReset();
            return;
        }

        var supportsD1 = (_hardware.Registers[_at + 3] & 2) != 0;
        var supportsD2 = (_hardware.Registers[_at + 3] & 4) != 0;
        // A PF stays awake for its VFs.
        if (_virtualization != 0 && (_hardware.Registers[_virtualization + 8] & 1) != 0)
            return;
        if (State > state || (state == 1 && !supportsD1) || (state == 2 && !supportsD2))
            return;
        _hardware.WriteConfig(_at + 4, 2, (_hardware.ReadConfig(_at + 4, 2) & ~3u) | (uint)state);
        State = _hardware.Registers[_at + 4] & 3;
    }

    /// <summary>To D0: the whole register is written 0.</summary>
    public void WakeForReset()
    {
        if (State == 0)
            return;
        if ((_hardware.Registers[_at + 4] & 3) != 0)
            _hardware.WriteConfig(_at + 4, 2, 0);
        State = _hardware.Registers[_at + 4] & 3;
    }
}
