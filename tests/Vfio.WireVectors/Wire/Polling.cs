using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.WireVectors.Wire;

/// <summary>Waits for descriptors to become readable.</summary>
internal static unsafe class Polling
{
    /// <summary>Waits for the first of them.</summary>
    /// <returns>Which; null if the time is up.</returns>
    public static SafeFileHandle? Wait(ReadOnlySpan<SafeFileHandle> descriptors, TimeSpan timeout)
    {
        Span<pollfd> entries = stackalloc pollfd[descriptors.Length];
        for (var i = 0; i < entries.Length; i++)
            entries[i] = new() { fd = (int)descriptors[i].DangerousGetHandle(), events = Libc.POLLIN };
        fixed (pollfd* first = entries)
        {
            int ready;
            do
                ready = Libc.poll(first, (ulong)entries.Length, Math.Max(0, (int)timeout.TotalMilliseconds));
            while (ready < 0 && Marshal.GetLastPInvokeError() == (int)Errno.EINTR);
        }

        for (var i = 0; i < entries.Length; i++)
        {
            if (entries[i].revents != 0)
                return descriptors[i];
        }

        return null;
    }
}
