using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Transport;

/// <summary>Where clients come from, one after the other.</summary>
internal abstract class ClientSource : IDisposable
{
    /// <summary>Waits for the next client.</summary>
    /// <param name="wake">Ends the wait.</param>
    /// <param name="error">EMFILE and the like: no client can be had now, and it is worth trying again later. None otherwise.</param>
    /// <returns>Its socket; null if there is none (any more).</returns>
    public abstract SafeFileHandle? Accept(WakeEvent wake, out Errno error);

    public abstract void Dispose();

    /// <summary>Opens an endpoint.</summary>
    /// <exception cref="VfioException">It cannot be had.</exception>
    public static ClientSource Open(VfioUserEndpoint endpoint)
    {
        if (endpoint.SocketPath is { } path)
            return SocketPath.Listen(path);
        var socket = endpoint.Socket!;
        var name = endpoint.ToString();
        if (SocketOption.Get(socket, Libc.SO_DOMAIN, name) != Libc.AF_UNIX
            || SocketOption.Get(socket, Libc.SO_TYPE, name) != Libc.SOCK_STREAM)
        {
            throw new VfioException(Errno.EINVAL, $"{name} is no unix stream socket");
        }

        return SocketOption.Get(socket, Libc.SO_ACCEPTCONN, name) != 0 ? new ListeningSocket(socket, null) : new ConnectedSocket(socket);
    }

    private sealed class ConnectedSocket(SafeFileHandle socket) : ClientSource
    {
        private SafeFileHandle? _socket = socket;

        public override SafeFileHandle? Accept(WakeEvent wake, out Errno error)
        {
            error = Errno.None;
            return Interlocked.Exchange(ref _socket, null);
        }

        public override void Dispose() => _socket?.Dispose();
    }
}

/// <summary>getsockopt and setsockopt of an integer at the level of the socket.</summary>
internal static unsafe class SocketOption
{
    /// <exception cref="VfioException">It is no socket.</exception>
    public static int Get(SafeFileHandle socket, int option, string name)
    {
        int value;
        var length = (uint)sizeof(int);
        return Libc.getsockopt(socket, Libc.SOL_SOCKET, option, &value, &length) == 0
            ? value : throw VfioException.FromLibc($"{name} is no unix stream socket");
    }

    /// <summary>Sets it; one that the kernel refuses stays what it was.</summary>
    public static void Wish(SafeFileHandle socket, int option, int value)
        => _ = Libc.setsockopt(socket, Libc.SOL_SOCKET, option, &value, sizeof(int));
}
