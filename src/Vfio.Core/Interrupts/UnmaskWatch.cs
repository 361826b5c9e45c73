using Microsoft.Win32.SafeHandles;

namespace Vfio.Core.Interrupts;

/// <summary>An eventfd that unmasks INTx when it is signalled.</summary>
/// <param name="eventFd">The eventfd; open until the watch has been removed.</param>
/// <param name="unmask">What it does; must not block.</param>
internal sealed class UnmaskWatch(SafeFileHandle eventFd, Action unmask)
{
    public SafeFileHandle EventFd { get; } = eventFd;

    public Action Unmask { get; } = unmask;
}
