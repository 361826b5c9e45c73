using System.Net;
using System.Net.Sockets;

namespace Vfio.Tool.Migration;

// No descriptor ever comes over these connections, so that there is none to be dropped.
#pragma warning disable RS0030

/// <summary>The source's end of a connection to a destination.</summary>
internal static class Connections
{
    public static async Task<Stream> ConnectAsync(MigrationPlace place, TlsIdentity? identity, CancellationToken cancellationToken)
    {
        var socket = NewSocket(place);
        try
        {
            if (place is TcpPlace tcp)
                await socket.ConnectAsync(tcp.Host, tcp.Port, cancellationToken).ConfigureAwait(false);
            else
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(((UnixPlace)place).Path), cancellationToken).ConfigureAwait(false);
            var plain = new NetworkStream(socket, ownsSocket: true);
            return identity is null
                ? plain
                : await identity.ConnectAsync(plain, ((TcpPlace)place).Host, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            socket.Dispose();
            throw new VfioException(Errno.ECONNREFUSED, $"{place}: {e.Message}; is vfio restore {place} running there?", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public static Socket NewSocket(MigrationPlace place)
        => place is TcpPlace ? Tuned(new(SocketType.Stream, ProtocolType.Tcp))
            : new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    /// <summary>A TCP socket that notices within half a minute that the other side's host is gone, though nothing is to be sent.</summary>
    public static Socket Tuned(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 10);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
        return socket;
    }
}

/// <summary>A destination's place, which takes one connection.</summary>
internal sealed class Listener : IDisposable
{
    private readonly Socket _socket;
    private string? _path;

    private Listener(Socket socket, MigrationPlace place, string? path) => (_socket, Place, _path) = (socket, place, path);

    /// <summary>Where it listens: with the port that it was given, where 0 was asked for.</summary>
    public MigrationPlace Place { get; }

    public static async Task<Listener> ListenAsync(MigrationPlace place, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            if (place is UnixPlace(var path))
            {
                socket = Connections.NewSocket(place);
                socket.Bind(new UnixDomainSocketEndPoint(path));

                // Nobody can connect before it listens: whoever may write to the socket may replace the device's state.
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                socket.Listen(1);
                return new(socket, place, path);
            }

            var (host, port) = (TcpPlace)place;
            var address = (await Dns.GetHostAddressesAsync(host, cancellationToken).ConfigureAwait(false))[0];
            socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, port));
            socket.Listen(1);
            return new(socket, new TcpPlace(host, ((IPEndPoint)socket.LocalEndPoint!).Port), null);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            socket?.Dispose();
            var what = e is not SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse } ? string.Empty
                : place is UnixPlace ? "; remove it if nobody listens there" : "; name another port, or 0 for any that is free";
            throw new VfioException(Errno.EIO, $"{place}: {e.Message}{what}", e);
        }
    }

    public async Task<Stream> AcceptAsync(TlsIdentity? identity, CancellationToken cancellationToken)
    {
        var socket = await _socket.AcceptAsync(cancellationToken).ConfigureAwait(false);
        Dispose();
        if (Place is TcpPlace)
            Connections.Tuned(socket);
        var plain = new NetworkStream(socket, ownsSocket: true);
        return identity is null ? plain : await identity.AcceptAsync(plain, cancellationToken).ConfigureAwait(false);
    }

    public void Dispose()
    {
        _socket.Dispose();

        // Once: afterwards the path may be somebody else's.
        if (Interlocked.Exchange(ref _path, null) is { } path)
            File.Delete(path);
    }
}
#pragma warning restore RS0030
