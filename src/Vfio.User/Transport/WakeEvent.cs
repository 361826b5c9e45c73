using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Transport;

/// <summary>An eventfd that ends the poll of one other thread. Set by many, cleared by the one that polls.</summary>
internal sealed unsafe class WakeEvent : IDisposable
{
    public WakeEvent()
    {
        Handle = EventFd.Create();
        if (Handle.IsInvalid)
            throw VfioException.FromLibc("eventfd");
    }

    public SafeFileHandle Handle { get; }

    /// <summary>Whether it has been set since it was last cleared.</summary>
    public bool IsSet => Poll.Wait(Handle, Libc.POLLIN, null, 0);

    public void Set()
    {
        // Fails only when the counter is full, and then the poll is awake already.
        var one = 1ul;
        _ = Libc.write(Handle, &one, sizeof(ulong));
    }

    public void Clear()
    {
        ulong count;
        _ = Libc.read(Handle, &count, sizeof(ulong));
    }

    public void Dispose() => Handle.Dispose();
}
