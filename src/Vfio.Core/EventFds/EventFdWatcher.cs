using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Vfio.Core.EventFds;

/// <summary>
/// Acts on the eventfds of every device of the process, with one thread: it starts with the first watch and ends with the last. The kernel
/// has a wait queue entry for each; a thread that waits for all of them is the nearest thing in user space. Thread-safe.
/// </summary>
internal sealed class EventFdWatcher
{
    private readonly Lock _changing = new();
    private EventFdLoop? _loop;

    /// <summary>The watcher of the process.</summary>
    public static EventFdWatcher Shared { get; } = new();

    /// <summary>Watches an eventfd; one that is signalled already tells at once.</summary>
    /// <param name="eventFd">The eventfd, which stays the caller's: a duplicate is watched.</param>
    /// <param name="signalled">
    /// Is told what the counter held: 1 for each signal since it was told last. Runs on the one thread, so it must wait for nothing.
    /// </param>
    /// <param name="logger">Where it is told what that threw.</param>
    /// <returns>The watch; EMFILE: the process has no descriptor left. ENOSPC, ENOMEM: the kernel watches no more.</returns>
    public VfioResult<EventFdWatch> Add(SafeFileHandle eventFd, Action<ulong> signalled, ILogger logger)
    {
        lock (_changing)
        {
            _loop ??= EventFdLoop.Start();
            if (_loop is null)
                return Errno.EMFILE;
            var watch = _loop.Add(eventFd, signalled, logger);
            if (!watch.IsSuccess)
                EndIfIdle();
            return watch;
        }
    }

    /// <summary>Stops watching: nothing is told any more once this has returned.</summary>
    public void Remove(EventFdWatch watch)
    {
        EventFdLoop? ended;
        lock (_changing)
        {
            _loop!.Remove(watch);
            ended = EndIfIdle();
        }

        watch.End();
        // The caller may count descriptors, or end the process.
        ended?.Join();
    }

    private EventFdLoop? EndIfIdle()
    {
        var loop = _loop!;
        if (!loop.IsIdle)
            return null;
        _loop = null;
        loop.End();
        return loop;
    }
}
