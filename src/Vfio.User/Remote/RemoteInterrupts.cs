using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Remote;

/// <summary>
/// The interrupts of a remote function, by SET_IRQS. INTx cannot be had this way: the protocol has no question for the state of its line,
/// so that it is for whoever sets it up through the device.
/// </summary>
internal sealed class RemoteInterrupts(VfioUserDevice device, RemoteSnapshot snapshot) : IInterruptLines
{
    public bool DynamicMsix => !snapshot.Irq(IrqIndex.Msix).Flags.HasFlag(IrqFlags.NoResize);

    public bool IntxAsserted => false;

    public int Count(IrqIndex index) => index <= IrqIndex.Msix ? (int)Math.Min(snapshot.Irq(index).Count, int.MaxValue) : 0;

    public VfioResult<int> Enable(IrqIndex index, int vectors)
    {
        if (index is not (IrqIndex.Msi or IrqIndex.Msix))
            return Errno.EOPNOTSUPP;
        var set = new IrqSet { Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, Index = (uint)index, Count = (uint)vectors };
        var enabled = device.SetIrqs(set);
        return enabled is { IsSuccess: true, Value: 0 } ? vectors : enabled;
    }

    public void Disable(IrqIndex index)
        => _ = device.SetIrqs(new() { Flags = IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, Index = (uint)index });

    public VfioResult SetTrigger(IrqIndex index, int vector, SafeFileHandle? eventFd)
    {
        var mine = eventFd is null ? null : EventFd.Duplicate(eventFd);
        if (mine is { IsInvalid: true })
            return Errno.EMFILE;
        var set = new IrqSet
        {
            Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger,
            Index = (uint)index,
            Start = (uint)vector,
            Count = 1,
            EventFds = [mine],
        };
        return device.SetIrqs(set).Error;
    }

    public void OnIntxAsserted(Action? asserted)
    {
        if (asserted is not null)
            throw new VfioException(Errno.EOPNOTSUPP, "INTx of a remote function is set up through its device (SetIrqs)");
    }
}
