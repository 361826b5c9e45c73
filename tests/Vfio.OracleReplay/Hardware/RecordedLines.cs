using Microsoft.Win32.SafeHandles;

namespace Vfio.OracleReplay.Hardware;

/// <summary>The interrupts of a recorded function; it never fires one by itself.</summary>
internal sealed class RecordedLines(InterruptInference interrupts) : IInterruptLines
{
    private IrqIndex? _enabled;

    public bool DynamicMsix => interrupts.DynamicMsix;

    public bool IntxAsserted => false;

    public int Count(IrqIndex index) => index switch
    {
        IrqIndex.Intx => interrupts.Intx,
        IrqIndex.Msi => interrupts.Msi,
        IrqIndex.Msix => interrupts.Msix,
        _ => 0,
    };

    public VfioResult<int> Enable(IrqIndex index, int vectors)
    {
        if (_enabled is not null)
            return Errno.EBUSY;
        var most = Math.Min(Count(index), interrupts.Obtainable.GetValueOrDefault(index, int.MaxValue));
        if (vectors > most)
            return most;
        _enabled = index;
        return vectors;
    }

    public void Disable(IrqIndex index)
    {
        if (_enabled == index)
            _enabled = null;
    }

    public VfioResult SetTrigger(IrqIndex index, int vector, SafeFileHandle? eventFd)
        => _enabled == index ? VfioResult.Success : Errno.EINVAL;

    public void OnIntxAsserted(Action? asserted)
    {
    }
}
