using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.WireVectors.Wire;

namespace Vfio.WireVectors.Setups;

/// <summary>Waits for an eventfd away from the caller's thread.</summary>
internal static class EventFdWait
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    /// <summary>Completes when it has been signalled, and has taken the signal.</summary>
    public static Task ForAsync(SafeFileHandle eventFd, CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            // Bounded, because a vector that fails in between never signals.
            if (Polling.Wait([eventFd], Patience) is null)
                throw new TimeoutException("nobody says that the device is idle");
            EventFd.Consume(eventFd);
        },
        cancellationToken);
}
