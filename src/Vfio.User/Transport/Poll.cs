using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Transport;

/// <summary>poll(2), where one descriptor or one and a wake-up are waited for.</summary>
internal static unsafe class Poll
{
    public const int Infinite = -1;

    /// <summary>Waits until a descriptor is ready or has failed; the call that comes next tells which.</summary>
    public static void Wait(SafeFileHandle descriptor, short events) => Wait(descriptor, events, null, Infinite);

    /// <summary>Waits until a descriptor is ready or has failed, it is woken, or the time is over.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="events">POLLIN or POLLOUT.</param>
    /// <param name="wake">What else ends the wait.</param>
    /// <param name="milliseconds">How long; <see cref="Infinite"/> for ever.</param>
    /// <returns>Whether the descriptor is ready or has failed.</returns>
    public static bool Wait(SafeFileHandle descriptor, short events, WakeEvent? wake, int milliseconds)
    {
        bool descriptorHeld = false, wakeHeld = false;
        try
        {
            descriptor.DangerousAddRef(ref descriptorHeld);
            wake?.Handle.DangerousAddRef(ref wakeHeld);
            var polled = stackalloc pollfd[2];
            polled[0] = new pollfd { fd = (int)descriptor.DangerousGetHandle(), events = events };
            polled[1] = new pollfd { fd = wake is null ? -1 : (int)wake.Handle.DangerousGetHandle(), events = Libc.POLLIN };
            if (Libc.poll(polled, 2, milliseconds) >= 0)
                return polled[0].revents != 0;
            var error = (Errno)Marshal.GetLastPInvokeError();

            // After a signal the caller looks at its own reasons to go on, and comes again.
            return error == Errno.EINTR ? false : throw new VfioException(error, "poll");
        }
        finally
        {
            if (descriptorHeld)
                descriptor.DangerousRelease();
            if (wakeHeld)
                wake!.Handle.DangerousRelease();
        }
    }
}
