using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Transport;

/// <summary>A socket that listens, and what to remove when it does so no more.</summary>
internal sealed unsafe class ListeningSocket(SafeFileHandle socket, SocketPath? path) : ClientSource
{
    public override SafeFileHandle? Accept(WakeEvent wake, out Errno error)
    {
        while (true)
        {
            error = Errno.None;
            if (!Poll.Wait(socket, Libc.POLLIN, wake, Poll.Infinite))
            {
                // A signal ends the wait as well.
                if (wake.IsSet)
                    return null;
                continue;
            }

            var client = Libc.accept4(socket, null, null, Libc.SOCK_CLOEXEC);
            if (!client.IsInvalid)
                return client;
            error = (Errno)Marshal.GetLastPInvokeError();
            client.Dispose();
            const Errno ConnectionAborted = (Errno)103;
            if (error is not (Errno.EINTR or Errno.EAGAIN or ConnectionAborted))
                return null;
        }
    }

    public override void Dispose()
    {
        path?.Remove();
        socket.Dispose();
    }
}
