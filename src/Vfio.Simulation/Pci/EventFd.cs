using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Simulation.Pci;

/// <summary>An eventfd of somebody else, towards which an interrupt goes without ever blocking.</summary>
internal sealed unsafe class EventFd
{
    private readonly SafeFileHandle _fd;
    private readonly bool _blocks;

    internal EventFd(SafeFileHandle fd)
    {
        _fd = fd;
        var flags = Libc.fcntl(fd, Libc.F_GETFL, 0);
        _blocks = flags < 0 || (flags & Libc.EFD_NONBLOCK) == 0;
    }

    /// <summary>Adds 1. A counter that is full stays so: its reader has a signal waiting already.</summary>
    internal void Signal()
    {
        // The flag is the reader's to choose, and shared: it cannot be set here.
        if (_blocks && !HasRoom())
            return;
        ulong one = 1;
        // EAGAIN is the full counter again; no other error says anything about the device.
        _ = Libc.write(_fd, &one, sizeof(ulong));
    }

    private bool HasRoom()
    {
        var held = false;
        try
        {
            _fd.DangerousAddRef(ref held);
            var poll = new pollfd { fd = (int)_fd.DangerousGetHandle(), events = Libc.POLLOUT };
            return Libc.poll(&poll, 1, 0) == 1 && (poll.revents & Libc.POLLOUT) != 0;
        }
        finally
        {
            if (held)
                _fd.DangerousRelease();
        }
    }
}
