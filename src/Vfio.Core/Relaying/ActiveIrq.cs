namespace Vfio.Core.Relaying;

/// <summary>Which of INTx, MSI and MSI-X is enabled, followed by what the device below took. Thread-safe.</summary>
internal sealed class ActiveIrq
{
    private const int None = -1;
    private volatile int _index = None;

    public IrqIndex? Index => _index is var index and not None ? (IrqIndex)index : null;

    /// <summary>The device below has carried out a request.</summary>
    /// <param name="set">The request; its descriptors are gone.</param>
    public void Follow(in IrqSet set)
    {
        if (!set.Flags.HasFlag(IrqSetFlags.ActionTrigger) || set.Index > (uint)IrqIndex.Msix)
            return;
        if (set.Flags.HasFlag(IrqSetFlags.DataEventFd))
            _index = (int)set.Index;
        else if (set.Flags.HasFlag(IrqSetFlags.DataNone) && set.Count == 0)
            _index = None;
    }
}
