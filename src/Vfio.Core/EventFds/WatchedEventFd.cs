using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Core.EventFds;

/// <summary>
/// An eventfd and all that is done when it is signalled. One counter is taken once, so whoever watches the same eventfd is told together,
/// as the entries of one wait queue are in the kernel.
/// </summary>
/// <param name="id">Its number in the loop.</param>
/// <param name="descriptor">A descriptor of its own; owned.</param>
/// <param name="identity">Which eventfd it is; null where the kernel does not tell.</param>
internal sealed class WatchedEventFd(ulong id, SafeFileHandle descriptor, long? identity)
{
    private readonly Lock _consuming = new();
    private volatile EventFdWatch[] _watches = [];

    public ulong Id { get; } = id;

    public SafeFileHandle Descriptor { get; } = descriptor;

    public long? Identity { get; } = identity;

    public bool IsUnused => _watches.Length == 0;

    // One thread at a time adds and removes.
    public void Add(EventFdWatch watch) => _watches = [.. _watches, watch];

    public void Remove(EventFdWatch watch) => _watches = [.. _watches.Where(w => w != watch)];

    public void Close()
    {
        lock (_consuming)
            Descriptor.Dispose();
    }

    /// <summary>Waits for it no more: an eventfd knows hangups and errors in no kernel, and one that did would be ready for ever.</summary>
    public void Ignore(Epoll epoll)
    {
        lock (_consuming)
        {
            if (!Descriptor.IsClosed)
                _ = epoll.Remove(Descriptor);
        }
    }

    /// <summary>Takes the counter and tells everyone.</summary>
    public void Signalled()
    {
        ulong count;
        lock (_consuming)
            count = Descriptor.IsClosed ? 0 : EventFd.Consume(Descriptor);
        if (count == 0)
            return;
        foreach (var watch in _watches)
            watch.Run(count);
    }
}
