using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Transport;

/// <summary>The name of a listening socket in the file system.</summary>
internal sealed unsafe class SocketPath
{
    private const int Backlog = 16;
    private const int PathCapacity = 108;
    private const uint OwnerOnly = 0x180; // 0600
    private const Errno AddressInUse = (Errno)98;
    private readonly string _path;
    private readonly (ulong Device, ulong Inode) _identity;

    private SocketPath(string path)
    {
        _path = path;
        _identity = Identify(path, out _) ?? throw new VfioException(Errno.ENOENT, $"{path}: the socket vanished while it was made");
    }

    /// <summary>Makes a socket that listens at a path.</summary>
    /// <remarks>
    /// It listens before it has that name: a client that waits for the name to appear, and connects at once, is never refused.
    /// </remarks>
    public static ListeningSocket Listen(string path)
    {
        // Refused here with the path's own name, and not with that of the name beside it.
        _ = Address(path, out _);
        var beside = Path.Join(Path.GetDirectoryName(path), $".{Environment.ProcessId:x}.{Random.Shared.Next():x}");
        return Encoding.UTF8.GetByteCount(beside) < PathCapacity && TryListenBeside(path, beside) is { } listening
            ? listening
            : ListenAt(path);
    }

    // Null where the file system has no second names.
    private static ListeningSocket? TryListenBeside(string path, string beside)
    {
        var socket = Create();
        try
        {
            if (!TryBind(socket, beside, path))
            {
                socket.Dispose();
                return null;
            }

            try
            {
                StartListening(socket, path);
                if (TryLink(beside, path) is { } linked)
                {
                    if (!linked)
                    {
                        RemoveStale(path);
                        if (TryLink(beside, path) is not true)
                            throw Taken(path);
                    }

                    return new ListeningSocket(socket, new SocketPath(path));
                }
            }
            finally
            {
                _ = Libc.unlink(beside);
            }

            socket.Dispose();
            return null;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static ListeningSocket ListenAt(string path)
    {
        var socket = Create();
        try
        {
            if (!TryBind(socket, path, path))
            {
                RemoveStale(path);
                if (!TryBind(socket, path, path))
                    throw Taken(path);
            }

            var name = new SocketPath(path);
            try
            {
                StartListening(socket, path);
            }
            catch
            {
                name.Remove();
                throw;
            }

            return new ListeningSocket(socket, name);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Removes the name, if it is still this socket's.</summary>
    public void Remove()
    {
        if (Identify(_path, out _) == _identity)
            _ = Libc.unlink(_path);
    }

    private static SafeFileHandle Create()
    {
        var socket = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC | Libc.SOCK_NONBLOCK, 0);
        if (socket.IsInvalid)
            throw VfioException.FromLibc("socket");
        // The mode of the socket becomes that of its name: set before the bind, nobody gets in between.
        if (Libc.fchmod(socket, OwnerOnly) == 0)
            return socket;
        var failure = VfioException.FromLibc("fchmod of a socket");
        socket.Dispose();
        throw failure;
    }

    private static void StartListening(SafeFileHandle socket, string path)
    {
        if (Libc.listen(socket, Backlog) != 0)
            throw VfioException.FromLibc($"{path}: listen");
    }

    // False: the name is taken. Null: this file system, or this path, does not have it.
    private static bool? TryLink(string from, string to)
    {
        if (Libc.link(from, to) == 0)
            return true;
        return (Errno)Marshal.GetLastPInvokeError() == Errno.EEXIST ? false : null;
    }

    private static VfioException Taken(string path) => new(Errno.EBUSY, $"{path}: another server has just taken it");

    private static bool TryBind(SafeFileHandle socket, string path, string shown)
    {
        var address = Address(path, out var length);
        if (Libc.bind(socket, &address, length) == 0)
            return true;
        return (Errno)Marshal.GetLastPInvokeError() == AddressInUse ? false : throw VfioException.FromLibc($"{shown}: bind");
    }

    // A server that died leaves its socket behind; one that lives is never robbed of its own.
    private static void RemoveStale(string path)
    {
        if (Identify(path, out var isSocket) is null)
            return;
        if (!isSocket)
            throw new VfioException(Errno.EEXIST, $"{path}: there is something that is no socket; choose another path or remove it");
        using var probe = Create();
        var address = Address(path, out var length);
        if (Libc.connect(probe, &address, length) == 0 || (Errno)Marshal.GetLastPInvokeError() == Errno.EAGAIN)
            throw new VfioException(Errno.EBUSY, $"{path}: another server listens there");
        if ((Errno)Marshal.GetLastPInvokeError() != Errno.ECONNREFUSED)
            throw VfioException.FromLibc($"{path}: connect");
        if (Libc.unlink(path) < 0 && (Errno)Marshal.GetLastPInvokeError() != Errno.ENOENT)
            throw VfioException.FromLibc($"{path}: unlink");
    }

    private static (ulong Device, ulong Inode)? Identify(string path, out bool isSocket)
    {
        const int SymlinkNoFollow = 0x100;
        statx_t status;
        isSocket = false;
        if (Libc.statx(Libc.AT_FDCWD, path, SymlinkNoFollow, Libc.STATX_TYPE | Libc.STATX_INO, &status) < 0)
            return null;
        isSocket = (status.stx_mode & Libc.S_IFMT) == Libc.S_IFSOCK;
        return (((ulong)status.stx_dev_major << 32) | status.stx_dev_minor, status.stx_ino);
    }

    /// <summary>The address of a path.</summary>
    /// <exception cref="VfioException">It is too long.</exception>
    public static sockaddr_un Address(string path, out uint length)
    {
        var bytes = Encoding.UTF8.GetByteCount(path);
        if (bytes >= PathCapacity || path.Contains('\0', StringComparison.Ordinal))
            throw new VfioException(Errno.EINVAL, $"{path}: a socket's path has at most {PathCapacity - 1} bytes");
        sockaddr_un address = default;
        address.sun_family = Libc.AF_UNIX;
        Encoding.UTF8.GetBytes(path, new Span<byte>(address.sun_path, PathCapacity));
        length = (uint)(sizeof(ushort) + bytes + 1);
        return address;
    }
}
