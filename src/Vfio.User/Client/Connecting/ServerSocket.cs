using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Transport;

namespace Vfio.User.Client.Connecting;

/// <summary>Gets the socket that is connected to a server.</summary>
internal static unsafe class ServerSocket
{
    /// <summary>Connects. A server whose backlog is full is waited for.</summary>
    /// <exception cref="VfioException">There is none.</exception>
    public static Task<SafeFileHandle> ConnectAsync(VfioUserEndpoint endpoint, CancellationToken cancellationToken)
        => endpoint.SocketPath is { } path
            ? Task.Run(() => Connect(path, cancellationToken), cancellationToken)
            : Task.FromResult(Check(endpoint.Socket!, endpoint.ToString()));

    private static SafeFileHandle Connect(string path, CancellationToken cancellationToken)
    {
        var address = SocketPath.Address(path, out var length);
        var socket = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0);
        try
        {
            if (socket.IsInvalid)
                throw VfioException.FromLibc("socket");

            // Nothing but a time ends the wait for room in a backlog. Of sends nothing is meant by it: none of ours waits in the kernel.
            var slice = new timeval { tv_usec = 100_000 };
            if (Libc.setsockopt(socket, Libc.SOL_SOCKET, Libc.SO_SNDTIMEO, &slice, (uint)sizeof(timeval)) < 0)
                throw VfioException.FromLibc($"{path}: SO_SNDTIMEO");
            while (Libc.connect(socket, &address, length) < 0)
            {
                if ((Errno)Marshal.GetLastPInvokeError() is not (Errno.EAGAIN or Errno.EINTR))
                    throw VfioException.FromLibc($"{path}: connect");
                cancellationToken.ThrowIfCancellationRequested();
            }

            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Checks that a descriptor is a connected socket of the protocol's kind.</summary>
    /// <exception cref="VfioException">It is not.</exception>
    public static SafeFileHandle Check(SafeFileHandle socket, string name)
    {
        if (SocketOption.Get(socket, Libc.SO_DOMAIN, name) != Libc.AF_UNIX
            || SocketOption.Get(socket, Libc.SO_TYPE, name) != Libc.SOCK_STREAM || SocketOption.Get(socket, Libc.SO_ACCEPTCONN, name) != 0)
        {
            socket.Dispose();
            throw new VfioException(Errno.EINVAL, $"{name} is no connected unix stream socket");
        }

        return socket;
    }
}
