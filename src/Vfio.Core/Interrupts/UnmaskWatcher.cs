using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Core.Interrupts;

/// <summary>
/// One thread for the unmask eventfds of every device of the process: it starts with the first watch and ends with the last. The kernel has
/// a wait queue entry for each; a thread that polls is the nearest thing in user space. Thread-safe.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "The thread that polls the wake-up eventfd closes it when it ends.")]
internal sealed class UnmaskWatcher
{
    private readonly object _changed = new();
    private readonly List<UnmaskWatch> _watches = [];
    private SafeFileHandle? _wakeUp;
    private Thread? _thread;
    private long _asked;
    private long _taken;

    /// <summary>The watcher of the process.</summary>
    public static UnmaskWatcher Shared { get; } = new();

    /// <summary>Watches an eventfd; one that is signalled already fires at once.</summary>
    /// <returns>The watch; EMFILE: the process has no descriptor left to wake the thread with.</returns>
    public VfioResult<UnmaskWatch> Add(SafeFileHandle eventFd, Action unmask)
    {
        var watch = new UnmaskWatch(eventFd, unmask);
        lock (_changed)
        {
            if (_thread is not null)
            {
                _watches.Add(watch);
                Change();
                return watch;
            }

            var wakeUp = EventFd.Create();
            if (wakeUp.IsInvalid)
                return Errno.EMFILE;
            _watches.Add(watch);
            Start(wakeUp);
        }

        return watch;
    }

    /// <summary>Stops watching; the eventfd is not touched, and nothing is unmasked by it, after this has returned.</summary>
    public void Remove(UnmaskWatch watch)
    {
        lock (_changed)
        {
            _watches.Remove(watch);
            var change = Change();
            if (Thread.CurrentThread == _thread)
                return;
            while (_taken < change && _thread is not null)
                Monitor.Wait(_changed);
        }
    }

    private long Change()
    {
        EventFd.Signal(_wakeUp!);
        return ++_asked;
    }

    private void Start(SafeFileHandle wakeUp)
    {
        _wakeUp = wakeUp;
        _taken = _asked;
        _thread = new Thread(Run) { IsBackground = true, Name = "vfio unmask" };
        _thread.Start(_wakeUp);
    }

    private void Run(object? state)
    {
        var wakeUp = (SafeFileHandle)state!;
        while (Take() is { } watches)
        {
            if (!Wait(wakeUp, watches, out var ready))
                continue;
            EventFd.Consume(wakeUp);
            for (var i = 0; i < watches.Length; i++)
            {
                // Level, not edge: what is not consumed would be ready for ever.
                if (ready[i + 1] && EventFd.Consume(watches[i].EventFd) != 0)
                    watches[i].Unmask();
            }
        }
    }

    // What to watch now; null when nothing is left, and then the thread is no more. Whoever removed a watch waits for this.
    private UnmaskWatch[]? Take()
    {
        lock (_changed)
        {
            _taken = _asked;
            if (_watches.Count == 0)
            {
                _wakeUp!.Dispose();
                _wakeUp = null;
                _thread = null;
            }

            Monitor.PulseAll(_changed);
            return _thread is null ? null : [.. _watches];
        }
    }

    private static unsafe bool Wait(SafeFileHandle wakeUp, UnmaskWatch[] watches, out bool[] ready)
    {
        var entries = new pollfd[watches.Length + 1];
        entries[0] = Entry(wakeUp);
        for (var i = 0; i < watches.Length; i++)
            entries[i + 1] = Entry(watches[i].EventFd);
        int found;
        fixed (pollfd* first = entries)
            found = Libc.poll(first, (ulong)entries.Length, -1);
        ready = Array.ConvertAll(entries, e => (e.revents & Libc.POLLIN) != 0);
        return found > 0;
    }

    // Open until the watch is removed, and removing waits for this thread.
    private static pollfd Entry(SafeFileHandle eventFd) => new() { fd = (int)eventFd.DangerousGetHandle(), events = Libc.POLLIN };
}
