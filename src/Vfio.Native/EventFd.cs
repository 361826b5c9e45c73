using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vfio.Native;

/// <summary>
/// Signals and consumes eventfds that somebody else may have created: never blocks, whatever flags they carry. Thread-safe.
/// </summary>
/// <remarks>
/// Whether an eventfd blocks is a property of the description that both processes share, so it is not ours to change. Instead a full
/// counter is found by <c>poll</c> before the write. (Only a peer that holds the counter one short of full, and fills it between the two
/// calls, could make a write wait; it waits until that peer reads. RWF_NOWAIT is no help: an eventfd takes it of reads only.)
/// </remarks>
public static unsafe class EventFd
{
    private const int EINTR = 4, EAGAIN = 11;

    /// <summary>Creates an eventfd with a counter of 0, closed on exec, not blocking.</summary>
    /// <returns>The eventfd; invalid if the process has no descriptor left.</returns>
    public static SafeFileHandle Create() => Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);

    /// <summary>
    /// Adds 1. Does nothing where the counter is full, as the kernel's <c>eventfd_signal</c>: its reader has been told already.
    /// </summary>
    /// <param name="eventFd">The eventfd; the caller keeps it open during the call.</param>
    /// <returns>Whether the counter was changed, or is full; false if this is no eventfd to write to.</returns>
    public static bool Signal(SafeFileHandle eventFd)
    {
        if (!IsReady(eventFd, Libc.POLLOUT, out var failed))
            return !failed;
        ulong one = 1;
        while (Libc.write(eventFd, &one, sizeof(ulong)) != sizeof(ulong))
        {
            var error = Marshal.GetLastPInvokeError();
            if (error == EAGAIN)
                return true;
            if (error != EINTR)
                return false;
        }

        return true;
    }

    /// <summary>Takes the counter, leaving 0 (of a semaphore: takes 1).</summary>
    /// <param name="eventFd">The eventfd; the caller keeps it open during the call.</param>
    /// <returns>What it held; 0 if it held nothing, or somebody else was faster.</returns>
    public static ulong Consume(SafeFileHandle eventFd)
    {
        ulong count = 0;
        var vector = new iovec { iov_base = &count, iov_len = sizeof(ulong) };
        // Not a plain read: its other holder may take the counter first, and an eventfd that blocks would then keep us.
        while (Libc.preadv2(eventFd, &vector, 1, -1, Libc.RWF_NOWAIT) != sizeof(ulong))
        {
            if (Marshal.GetLastPInvokeError() != EINTR)
                return 0;
        }

        return count;
    }

    /// <summary>Whether a descriptor is an eventfd; true as well where there is no /proc to tell.</summary>
    /// <param name="descriptor">An open descriptor.</param>
    public static bool IsEventFd(SafeFileHandle descriptor)
    {
        const string Descriptors = "/proc/self/fd", Expected = "anon_inode:[eventfd]";
        var added = false;
        try
        {
            descriptor.DangerousAddRef(ref added);
            return new FileInfo($"{Descriptors}/{descriptor.DangerousGetHandle()}").LinkTarget == Expected
                || !Directory.Exists(Descriptors);
        }
        finally
        {
            if (added)
                descriptor.DangerousRelease();
        }
    }

    /// <summary>A second descriptor of the same eventfd, closed on exec.</summary>
    /// <param name="eventFd">The eventfd; the caller keeps it open during the call.</param>
    /// <returns>The descriptor; invalid if the process has none left, or this is none.</returns>
    public static SafeFileHandle Duplicate(SafeFileHandle eventFd)
        => new(Libc.fcntl(eventFd, Libc.F_DUPFD_CLOEXEC, 0), ownsHandle: true);

    /// <summary>The kernel's number for an eventfd, the same for every descriptor of it, and no other's while one is open.</summary>
    /// <param name="eventFd">The eventfd; the caller keeps it open during the call.</param>
    /// <returns>The number; null where the kernel does not tell it (before 5.2, or without /proc).</returns>
    public static long? Identity(SafeFileHandle eventFd)
    {
        const string Field = "eventfd-id:";
        var added = false;
        try
        {
            eventFd.DangerousAddRef(ref added);
            foreach (var line in File.ReadLines($"/proc/self/fdinfo/{eventFd.DangerousGetHandle()}"))
            {
                if (line.StartsWith(Field, StringComparison.Ordinal))
                    return long.Parse(line.AsSpan(Field.Length), System.Globalization.CultureInfo.InvariantCulture);
            }

            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        finally
        {
            if (added)
                eventFd.DangerousRelease();
        }
    }

    private static bool IsReady(SafeFileHandle eventFd, short wanted, out bool failed)
    {
        var added = false;
        try
        {
            eventFd.DangerousAddRef(ref added);
            var entry = new pollfd { fd = (int)eventFd.DangerousGetHandle(), events = wanted };
            int ready;
            do
                ready = Libc.poll(&entry, 1, 0);
            while (ready < 0 && Marshal.GetLastPInvokeError() == EINTR);
            // poll passes over a negative descriptor without a word.
            failed = ready < 0 || entry.fd < 0 || (entry.revents & Libc.POLLNVAL) != 0;
            return ready > 0 && (entry.revents & wanted) != 0;
        }
        finally
        {
            if (added)
                eventFd.DangerousRelease();
        }
    }
}
