namespace Vfio.Core.Interrupts;

// MSI and MSI-X.
internal sealed partial class InterruptController
{
    private VfioResult<int> TriggerMessages(IrqIndex index, int count, in IrqSet set)
    {
        if (Active == index && set.Count == 0 && set.Flags.HasFlag(IrqSetFlags.DataNone))
        {
            DisableActive();
            return 0;
        }

        if (Active is { } other && other != index)
            return Errno.EINVAL;
        int start = (int)set.Start, vectors = (int)set.Count;
        if (!set.Flags.HasFlag(IrqSetFlags.DataEventFd))
        {
            if (Active is null)
                return Errno.EINVAL;
            _messages.Loopback(start, vectors, set.Flags.HasFlag(IrqSetFlags.DataBool) ? set.Bools[..vectors] : []);
            return 0;
        }

        if (Active == index)
            return _messages.SetBlock(start, vectors, set.EventFds);
        var enabled = EnableMessages(index, start + vectors, count);
        if (!enabled.IsSuccess || enabled.Value > 0)
            return enabled;
        var block = _messages.SetBlock(start, vectors, set.EventFds);
        if (!block.IsSuccess)
            DisableActive();
        return block;
    }

    private VfioResult<int> EnableMessages(IrqIndex index, int vectors, int count)
    {
        var enabled = _messages.Enable(index, vectors, count);
        if (!enabled.IsSuccess || enabled.Value > 0)
            return enabled;
        _active = (int)index;
        if (index == IrqIndex.Msi)
            _msiQueueMax = _messages.QueueMax;
        _messageControl!.Enable(index, vectors);
        return 0;
    }

    private void DisableMessages(IrqIndex index)
    {
        try
        {
            _messageControl!.Disable(index);
        }
        finally
        {
            _messages.Disable();
        }

        // Whoever turns messages off may turn the pin on again.
        if (_hideIntx)
            _writeIntxDisable(true);
    }
}
