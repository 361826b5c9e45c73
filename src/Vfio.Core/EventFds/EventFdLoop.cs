using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Core.EventFds;

/// <summary>A thread that waits for eventfds, from the first watch to the last. One thread at a time adds, removes and ends.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "The thread closes what it waits with when it ends.")]
internal sealed class EventFdLoop
{
    private const ulong WakeUp = 0;
    private const int MostAtOnce = 64;
    private readonly ConcurrentDictionary<ulong, WatchedEventFd> _byId = new();
    private readonly Dictionary<long, WatchedEventFd> _byIdentity = [];
    private readonly Epoll _epoll;
    private readonly SafeFileHandle _wakeUp;
    private readonly Thread _thread;
    private ulong _lastId = WakeUp;

    private EventFdLoop(Epoll epoll, SafeFileHandle wakeUp)
    {
        _epoll = epoll;
        _wakeUp = wakeUp;
        _thread = new Thread(Run) { IsBackground = true, Name = "vfio eventfds" };
    }

    public bool IsIdle => _byId.IsEmpty;

    /// <summary>Starts.</summary>
    /// <returns>Null if the process has no descriptor left to wait with.</returns>
    public static EventFdLoop? Start()
    {
        var wakeUp = EventFd.Create();
        var epoll = wakeUp.IsInvalid ? null : Epoll.Create();
        if (epoll is null || epoll.Add(wakeUp, WakeUp) != 0)
        {
            epoll?.Dispose();
            wakeUp.Dispose();
            return null;
        }

        var loop = new EventFdLoop(epoll, wakeUp);
        loop._thread.Start();
        return loop;
    }

    /// <summary>Watches an eventfd.</summary>
    /// <returns>EMFILE: no descriptor is left. ENOSPC, ENOMEM: the kernel watches no more.</returns>
    public VfioResult<EventFdWatch> Add(SafeFileHandle eventFd, Action<ulong> signalled, ILogger logger)
    {
        var identity = EventFd.Identity(eventFd);
        if (identity is { } known && _byIdentity.TryGetValue(known, out var same))
        {
            var another = new EventFdWatch(same, signalled, logger);
            same.Add(another);
            return another;
        }

        var mine = EventFd.Duplicate(eventFd);
        if (mine.IsInvalid)
            return Errno.EMFILE;
        var source = new WatchedEventFd(++_lastId, mine, identity);
        var watch = new EventFdWatch(source, signalled, logger);
        source.Add(watch);
        _byId[source.Id] = source;
        var error = _epoll.Add(mine, source.Id);
        if (error != 0)
        {
            _byId.TryRemove(source.Id, out _);
            source.Close();
            return (Errno)error;
        }

        if (identity is { } number)
            _byIdentity[number] = source;
        return watch;
    }

    public void Remove(EventFdWatch watch)
    {
        var source = watch.Source;
        source.Remove(watch);
        if (!source.IsUnused)
            return;
        // Before it is closed: the file lives on with the client.
        _ = _epoll.Remove(source.Descriptor);
        _byId.TryRemove(source.Id, out _);
        if (source.Identity is { } identity)
            _byIdentity.Remove(identity);
        source.Close();
    }

    /// <summary>Ends the thread, once what it does now is done.</summary>
    public void End() => EventFd.Signal(_wakeUp);

    /// <summary>Waits for the end, unless it is this very thread.</summary>
    public void Join()
    {
        if (Thread.CurrentThread != _thread)
            _thread.Join();
    }

    private void Run()
    {
        Span<EpollReady> ready = stackalloc EpollReady[MostAtOnce];
        // Nothing but the signal ends it: what it is given by is open until then.
        for (var isOver = false; !isOver;)
        {
            var found = _epoll.Wait(ready, Timeout.Infinite);
            foreach (var one in ready[..found])
            {
                isOver |= one.Data == WakeUp;
                if (!_byId.TryGetValue(one.Data, out var source))
                    continue;
                if ((one.Events & Libc.EPOLLIN) != 0)
                    source.Signalled();
                else
                    source.Ignore(_epoll);
            }
        }

        _epoll.Dispose();
        _wakeUp.Dispose();
    }
}
