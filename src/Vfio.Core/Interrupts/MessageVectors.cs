using System.Numerics;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Core.Interrupts;

/// <summary>
/// MSI or MSI-X, whichever is on: a trigger for each vector. One thread at a time. Source: the kernel's <c>vfio_msi_*</c>.
/// </summary>
internal sealed class MessageVectors(IInterruptLines lines, HeldEventFds held)
{
    private SafeFileHandle?[] _triggers = [];
    private IrqIndex _index;
    private int _enabled;

    /// <summary>The logarithm of the vectors that were enabled, rounded up: what Multiple Message Enable may hold at most.</summary>
    public int QueueMax => _enabled <= 1 ? 0 : BitOperations.Log2((uint)_enabled - 1) + 1;

    /// <summary>Turns vectors on, none of them with a trigger.</summary>
    /// <param name="index">MSI or MSI-X.</param>
    /// <param name="vectors">How many.</param>
    /// <param name="count">How many the index has.</param>
    /// <returns>0; a positive number: none was turned on, so many could be. ERANGE: none was asked for. ENOSPC: none can be had.</returns>
    public VfioResult<int> Enable(IrqIndex index, int vectors, int count)
    {
        if (vectors == 0)
            return Errno.ERANGE;
        var obtained = lines.Enable(index, vectors);
        if (!obtained.IsSuccess)
            return obtained;
        if (obtained.Value < vectors)
            return obtained.Value > 0 ? obtained.Value : Errno.ENOSPC;
        _index = index;
        _enabled = vectors;
        _triggers = new SafeFileHandle?[count];
        return 0;
    }

    /// <summary>Turns the vectors off; nothing is signalled after it has returned.</summary>
    public void Disable()
    {
        try
        {
            lines.Disable(_index);
        }
        finally
        {
            foreach (var trigger in _triggers)
                held.Release(trigger);
            _triggers = [];
            _enabled = 0;
        }
    }

    /// <summary>
    /// Sets the triggers of a block; where one fails, all of the block up to it are without one afterwards, as in the kernel.
    /// </summary>
    public VfioResult<int> SetBlock(int start, int count, ReadOnlySpan<SafeFileHandle?> eventFds)
    {
        for (var i = 0; i < count; i++)
        {
            var result = Set(start + i, eventFds.IsEmpty ? null : eventFds[i]);
            if (result.IsSuccess)
                continue;
            for (var j = 0; j < i; j++)
                Set(start + j, null);
            return result.Error;
        }

        return 0;
    }

    /// <summary>Fires vectors that have a trigger; the others are skipped.</summary>
    /// <param name="start">The first vector.</param>
    /// <param name="count">How many.</param>
    /// <param name="which">A byte for each, 0 to leave it; empty for all.</param>
    public void Loopback(int start, int count, ReadOnlySpan<byte> which)
    {
        for (var i = 0; i < count; i++)
        {
            if (_triggers[start + i] is { } trigger && (which.IsEmpty || which[i] != 0))
                EventFd.Signal(trigger);
        }
    }

    private VfioResult Set(int vector, SafeFileHandle? eventFd)
    {
        // The old trigger goes before the new one is looked at: a request that fails leaves nothing of it.
        if (_triggers[vector] is { } before)
        {
            lines.SetTrigger(_index, vector, null);
            _triggers[vector] = null;
            held.Release(before);
        }

        if (eventFd is null)
            return VfioResult.Success;
        if (vector >= _enabled && !(_index == IrqIndex.Msix && lines.DynamicMsix))
            return Errno.EINVAL;
        var result = HeldEventFds.Check(eventFd);
        if (result.IsSuccess)
            result = lines.SetTrigger(_index, vector, eventFd);
        if (result.IsSuccess)
        {
            held.Keep(eventFd);
            _triggers[vector] = eventFd;
        }

        return result;
    }
}
