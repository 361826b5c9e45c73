using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.EventFds;
using Vfio.Core.Interrupts;
using Vfio.Core.Reset;

namespace Vfio.Core.Regions;

/// <summary>
/// The ioeventfds of an open device: eventfds that make a write when they are signalled. They survive a reset. A signal allocates nothing.
/// Thread-safe. Source: the kernel's <c>vfio_pci_ioeventfd</c>.
/// </summary>
/// <remarks>
/// The thread that watches serves every device of the process and must not wait for this one. A write that finds the device held alone, by
/// a reset say, is made by the thread pool when the device has been let go, as the kernel leaves it to a work item.
/// </remarks>
internal sealed partial class IoEventFds(
    RegionTable regions, AccessGate gate, PowerControl power, EventFdWatcher watcher, ILogger logger) : IThreadPoolWorkItem
{
    /// <summary>As many as a device may have (VFIO_PCI_IOEVENTFD_MAX).</summary>
    public const int Most = 1000;

    // A count says how many signals have piled up, or that a client has added a large number at once; only the former are writes.
    private const ulong MostAtOnce = 256;
    private readonly Lock _changing = new();
    private readonly Dictionary<IoEventFdKey, IoEventFd> _all = [];
    private int _postponed;
    private int _scheduled;
    private bool _closed;

    /// <summary>Adds or removes one.</summary>
    /// <param name="key">Which.</param>
    /// <param name="eventFd">The eventfd, which stays the caller's; null to remove.</param>
    /// <returns>EINVAL, EEXIST, ENODEV, ENOSPC, EBADF, EMFILE.</returns>
    public VfioResult Set(in IoEventFdKey key, SafeFileHandle? eventFd)
    {
        if (regions.BarAt(key.Region) is not { } bar || !IsPossible(bar, key))
            return Errno.EINVAL;
        lock (_changing)
        {
            if (_closed)
                return Errno.EINVAL;
            if (_all.TryGetValue(key, out var present))
            {
                if (eventFd is not null)
                    return Errno.EEXIST;
                _all.Remove(key);
                watcher.Remove(present.Watch!);
                return VfioResult.Success;
            }

            if (eventFd is null)
                return Errno.ENODEV;
            return _all.Count < Most ? Add(new(bar, key), eventFd) : Errno.ENOSPC;
        }
    }

    /// <summary>The device closes: no write is made any more once this has returned.</summary>
    public void Close()
    {
        lock (_changing)
        {
            _closed = true;
            foreach (var one in _all.Values)
                watcher.Remove(one.Watch!);
            _all.Clear();
        }
    }

    /// <summary>The gate has become passable.</summary>
    public void Resume()
    {
        if (Volatile.Read(ref _postponed) != 0 && Interlocked.Exchange(ref _scheduled, 1) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Makes the writes that were postponed.</summary>
    public void Execute()
    {
        Interlocked.Exchange(ref _scheduled, 0);
        Interlocked.Exchange(ref _postponed, 0);
        Wake();
        lock (_changing)
        {
            foreach (var one in _all.Values)
            {
                var count = one.TakePostponed();
                if (count != 0)
                    Signalled(one, count);
            }
        }
    }

    // What is asleep without a power state to sleep in, nobody else may wake for a long time.
    private void Wake()
    {
        if (power.State >= PowerControl.D3Hot)
            return;
        try
        {
            gate.Wake();
        }
        catch (Exception e)
        {
            LogWakeFault(e);
        }
    }

    private VfioResult Add(IoEventFd one, SafeFileHandle eventFd)
    {
        var check = HeldEventFds.Check(eventFd);
        if (!check.IsSuccess)
            return check;
        var watch = watcher.Add(eventFd, count => Signalled(one, count), logger);
        if (!watch.IsSuccess)
            return watch;
        one.Watch = watch.Value;
        _all.Add(one.Key, one);
        return VfioResult.Success;
    }

    private static bool IsPossible(FunctionBar bar, in IoEventFdKey key)
        => key.Width is 1 or 2 or 4 && key.Offset <= bar.Bar.Size && (ulong)key.Width <= bar.Bar.Size - key.Offset
            && !bar.OverlapsExcluded(key.Offset, key.Width);

    private void Signalled(IoEventFd one, ulong count)
    {
        count = Math.Min(count, MostAtOnce);
        try
        {
            if (TryWrite(one, count))
                return;
        }
        catch (Exception e)
        {
            // The thread is every device's: the fault is told, and the write is lost.
            LogFault(e, one.Key.Region, one.Key.Offset);
            return;
        }

        one.Postpone(count);
        Interlocked.Exchange(ref _postponed, 1);
        // Whoever let go before the line above told nobody.
        if (gate.IsPassable)
            Resume();
    }

    // False: somebody holds the device alone.
    private bool TryWrite(IoEventFd one, ulong count)
    {
        if (!gate.TryEnterShared())
            // A signal does not wake what sleeps: there, as without memory decoding, the write is dropped.
            return gate.IsAsleep && power.State >= PowerControl.D3Hot;
        try
        {
            if (!regions.Answers(one.Bar, one.Key.Offset, one.Key.Width))
                return true;
            for (; count > 0; count--)
                one.Write();
        }
        finally
        {
            gate.ExitShared();
        }

        return true;
    }

    [LoggerMessage(2102, LogLevel.Error, "Waking the device for a write by eventfd failed")]
    private partial void LogWakeFault(Exception failure);

    [LoggerMessage(2101, LogLevel.Error, "A write by eventfd to region {Region} at {Offset:x} failed")]
    private partial void LogFault(Exception failure, int region, ulong offset);
}
