using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Simulation.Driving;

/// <summary>
/// What a device's thread sleeps on: one system call to sleep, one to be woken, none while it is awake. One thread waits; any thread sets.
/// </summary>
internal sealed unsafe class WakeEvent : IDisposable
{
    private const int Awake = 0, Set = 1, Asleep = 2;
    private readonly SafeFileHandle _eventFd;
    private int _state;

    internal WakeEvent()
    {
        _eventFd = Libc.eventfd(0, Libc.EFD_CLOEXEC);
        if (_eventFd.IsInvalid)
            throw VfioException.FromLibc("eventfd");
    }

    /// <summary>Wakes the thread, or keeps it from falling asleep.</summary>
    internal void Wake()
    {
        if (Interlocked.Exchange(ref _state, Set) != Asleep)
            return;
        ulong one = 1;
        // The counter never holds more than the one wake-up that a sleeper waits for, so this cannot block.
        _ = Libc.write(_eventFd, &one, sizeof(ulong));
    }

    /// <summary>Forgets wake-ups so far: the thread is about to look for what they were about.</summary>
    internal void Reset() => Interlocked.Exchange(ref _state, Awake);

    /// <summary>Sleeps until woken; returns at once if that came since the last <see cref="Reset"/>.</summary>
    internal void Wait()
    {
        if (Interlocked.CompareExchange(ref _state, Asleep, Awake) != Awake)
            return;
        ulong count;
        while (Libc.read(_eventFd, &count, sizeof(ulong)) < 0)
        {
            var error = (Errno)System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
            if (error != Errno.EINTR)
                throw new VfioException(error, "a device's thread cannot sleep on its eventfd");
        }
    }

    public void Dispose() => _eventFd.Dispose();
}
