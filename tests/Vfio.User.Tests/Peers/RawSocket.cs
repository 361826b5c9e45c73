using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Tests.Peers;

/// <summary>A unix stream socket of a test: bytes and descriptors, nothing else.</summary>
internal sealed unsafe class RawSocket(SafeFileHandle socket) : IDisposable
{
    private const int ReceiveTimeoutMilliseconds = 20_000;

    public SafeFileHandle Handle { get; } = socket;

    public static RawSocket Connect(string path)
    {
        var socket = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0);
        sockaddr_un address = default;
        address.sun_family = Libc.AF_UNIX;
        var bytes = Encoding.UTF8.GetBytes(path);
        bytes.CopyTo(new Span<byte>(address.sun_path, 107));
        if (Libc.connect(socket, &address, (uint)(2 + bytes.Length + 1)) != 0)
            throw VfioException.FromLibc($"connect {path}");
        return new RawSocket(socket);
    }

    public static (RawSocket Here, SafeFileHandle There) Pair()
    {
        var ends = stackalloc int[2];
        Assert.Equal(0, Libc.socketpair(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0, ends));
        return (new RawSocket(new SafeFileHandle(ends[0], true)), new SafeFileHandle(ends[1], true));
    }

    /// <summary>Sends bytes with descriptors in one sendmsg.</summary>
    /// <returns>False if the other side is gone.</returns>
    public bool Send(ReadOnlySpan<byte> bytes, params SafeFileHandle[] descriptors)
    {
        var control = stackalloc byte[(int)Libc.CMSG_SPACE(Libc.SCM_MAX_FD * sizeof(int))];
        fixed (byte* data = bytes)
        {
            for (var sent = 0; sent < bytes.Length;)
            {
                var vector = new iovec { iov_base = data + sent, iov_len = (nuint)(bytes.Length - sent) };
                msghdr header = default;
                header.msg_iov = &vector;
                header.msg_iovlen = 1;
                if (sent == 0 && descriptors.Length != 0)
                {
                    var part = (cmsghdr*)control;
                    part->cmsg_len = Libc.CMSG_LEN((nuint)descriptors.Length * sizeof(int));
                    part->cmsg_level = Libc.SOL_SOCKET;
                    part->cmsg_type = Libc.SCM_RIGHTS;
                    for (var i = 0; i < descriptors.Length; i++)
                        ((int*)(control + Libc.CMSG_LEN(0)))[i] = (int)descriptors[i].DangerousGetHandle();
                    header.msg_control = control;
                    header.msg_controllen = Libc.CMSG_SPACE((nuint)descriptors.Length * sizeof(int));
                }

                var count = Libc.sendmsg(Handle, &header, Libc.MSG_NOSIGNAL);
                if (count < 0 && Marshal.GetLastPInvokeError() == (int)Errno.EINTR)
                    continue;
                if (count < 0)
                    return false;
                sent += (int)count;
            }
        }

        return true;
    }

    /// <summary>Receives exactly so many bytes; null at the end of the stream.</summary>
    public byte[]? Receive(int length, List<int> descriptors)
    {
        var bytes = new byte[length];
        var control = stackalloc byte[(int)Libc.CMSG_SPACE(Libc.SCM_MAX_FD * sizeof(int))];
        for (var received = 0; received < length;)
        {
            if (!WaitReadable(ReceiveTimeoutMilliseconds))
                throw new TimeoutException($"no answer; {received} of {length} bytes have come");
            fixed (byte* data = bytes)
            {
                var vector = new iovec { iov_base = data + received, iov_len = (nuint)(length - received) };
                msghdr header = default;
                header.msg_iov = &vector;
                header.msg_iovlen = 1;
                header.msg_control = control;
                header.msg_controllen = Libc.CMSG_SPACE(Libc.SCM_MAX_FD * sizeof(int));
                var count = Libc.recvmsg(Handle, &header, Libc.MSG_CMSG_CLOEXEC);
                if (count < 0 && Marshal.GetLastPInvokeError() == (int)Errno.EINTR)
                    continue;
                if (count <= 0)
                    return null;
                received += (int)count;
                var part = (cmsghdr*)control;
                if (header.msg_controllen != 0)
                {
                    for (nuint i = 0; i < (part->cmsg_len - Libc.CMSG_LEN(0)) / sizeof(int); i++)
                        descriptors.Add(((int*)(control + Libc.CMSG_LEN(0)))[i]);
                }
            }
        }

        return bytes;
    }

    /// <summary>Sends no more, and takes what comes until the other side has closed; descriptors that come along are dropped.</summary>
    public void Finish()
    {
        _ = Libc.shutdown(Handle, Libc.SHUT_WR);
        var bytes = stackalloc byte[4096];
        while (WaitReadable(ReceiveTimeoutMilliseconds))
        {
            var count = Libc.read(Handle, bytes, 4096);
            if (count == 0 || (count < 0 && Marshal.GetLastPInvokeError() != (int)Errno.EINTR))
                return;
        }

        throw new TimeoutException("the other side does not close");
    }

    public bool WaitReadable(int milliseconds)
    {
        var polled = new pollfd { fd = (int)Handle.DangerousGetHandle(), events = Libc.POLLIN };
        int ready;
        while ((ready = Libc.poll(&polled, 1, milliseconds)) < 0 && Marshal.GetLastPInvokeError() == (int)Errno.EINTR)
        {
        }

        return ready > 0;
    }

    /// <summary>Receives a whole message; null at the end of the stream.</summary>
    public RawMessage? ReceiveMessage()
    {
        var descriptors = new List<int>();
        if (Receive(16, descriptors) is not { } header)
            return null;
        var size = BitConverter.ToInt32(header, 4);
        if (size == 16)
            return new RawMessage(header, [.. descriptors]);
        return Receive(size - 16, descriptors) is { } body ? new RawMessage([.. header, .. body], [.. descriptors]) : null;
    }

    public void Dispose() => Handle.Dispose();
}
