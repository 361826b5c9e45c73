using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Core.Interrupts;

/// <summary>
/// The eventfds that an open device keeps, counted, because one may serve several vectors. Used under the lock of interrupt set-up.
/// </summary>
internal sealed class HeldEventFds
{
    private readonly Dictionary<SafeFileHandle, int> _uses = [];

    /// <summary>Whether a descriptor can be signalled.</summary>
    /// <returns>EBADF: it is not open. EINVAL: it is no eventfd.</returns>
    public static VfioResult Check(SafeFileHandle eventFd)
    {
        if (eventFd.IsInvalid || eventFd.IsClosed)
            return Errno.EBADF;
        return EventFd.IsEventFd(eventFd) ? VfioResult.Success : Errno.EINVAL;
    }

    /// <summary>Keeps a descriptor for one more use.</summary>
    public void Keep(SafeFileHandle eventFd) => _uses[eventFd] = _uses.GetValueOrDefault(eventFd) + 1;

    /// <summary>Ends one use; the last one closes the descriptor.</summary>
    public void Release(SafeFileHandle? eventFd)
    {
        if (eventFd is null)
            return;
        if (--_uses[eventFd] == 0)
        {
            _uses.Remove(eventFd);
            eventFd.Dispose();
        }
    }

    /// <summary>Closes those of a request that nobody has kept.</summary>
    public void DisposeOthers(ReadOnlySpan<SafeFileHandle?> eventFds)
    {
        foreach (var eventFd in eventFds)
        {
            if (eventFd is not null && !_uses.ContainsKey(eventFd))
                eventFd.Dispose();
        }
    }
}
