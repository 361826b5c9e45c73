using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.WireVectors.Wire;

/// <summary>
/// The client's end of a vfio-user socket: bytes and descriptors. It shares nothing with the product's own transport, on purpose.
/// </summary>
internal sealed unsafe class WireSocket(SafeFileHandle socket) : IDisposable
{
    private const int LongestMessage = 4 << 20;
    private static readonly nuint ControlLength = Libc.CMSG_SPACE(Libc.SCM_MAX_FD * sizeof(int));

    public SafeFileHandle Handle => socket;

    /// <summary>Connects; null if nobody listens there (yet).</summary>
    public static WireSocket? TryConnect(string path)
    {
        var handle = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0);
        sockaddr_un address = default;
        address.sun_family = Libc.AF_UNIX;
        var bytes = Encoding.UTF8.GetBytes(path);
        if (bytes.Length > 107)
            throw new VfioException(Errno.EINVAL, $"{path}: a socket's path has 107 bytes at most");
        bytes.CopyTo(new Span<byte>(address.sun_path, 107));
        int result;
        do
            result = Libc.connect(handle, &address, (uint)(sizeof(ushort) + bytes.Length + 1));
        while (result != 0 && Marshal.GetLastPInvokeError() == (int)Errno.EINTR);
        if (result == 0)
            return new(handle);
        var error = (Errno)Marshal.GetLastPInvokeError();
        handle.Dispose();
        return error is Errno.ENOENT or Errno.ECONNREFUSED or Errno.EAGAIN ? null : throw new VfioException(error, $"connect {path}: {error}");
    }

    /// <summary>Sends a message with its descriptors in one sendmsg; what does not fit goes after it.</summary>
    /// <returns>False: the other side is gone.</returns>
    public bool Send(ReadOnlySpan<byte> message, ReadOnlySpan<SafeFileHandle> descriptors)
    {
        var control = stackalloc byte[(int)ControlLength];
        fixed (byte* data = message)
        {
            for (var sent = 0; sent < message.Length;)
            {
                var vector = new iovec { iov_base = data + sent, iov_len = (nuint)(message.Length - sent) };
                msghdr header = default;
                header.msg_iov = &vector;
                header.msg_iovlen = 1;
                if (sent == 0 && descriptors.Length != 0)
                    Attach(&header, control, descriptors);
                var count = Libc.sendmsg(socket, &header, Libc.MSG_NOSIGNAL);
                if (count > 0)
                    sent += (int)count;
                else if (Marshal.GetLastPInvokeError() != (int)Errno.EINTR)
                    return false;
            }
        }

        return true;
    }

    /// <summary>Receives a whole message.</summary>
    /// <returns>Null: the other side is gone.</returns>
    /// <exception cref="TimeoutException">Not all of it came in time.</exception>
    public WireMessage? Receive(TimeSpan timeout)
    {
        var started = Stopwatch.GetTimestamp();
        var descriptors = new List<SafeFileHandle>();
        if (Receive(WireMessage.HeaderLength, descriptors, started, timeout) is not { } header)
            return null;
        var size = BitConverter.ToUInt32(header, 4);
        if (size is < WireMessage.HeaderLength or > LongestMessage)
            throw new InvalidDataException($"a message says that it has {size} bytes");
        var body = size == WireMessage.HeaderLength ? [] : Receive((int)size - WireMessage.HeaderLength, descriptors, started, timeout);
        return body is null ? null : new(BitConverter.ToUInt16(header), BitConverter.ToUInt16(header, 2), BitConverter.ToUInt32(header, 8),
            BitConverter.ToInt32(header, 12), body, descriptors);
    }

    public void Dispose() => socket.Dispose();

    private byte[]? Receive(int length, List<SafeFileHandle> descriptors, long started, TimeSpan timeout)
    {
        var bytes = new byte[length];
        var control = stackalloc byte[(int)ControlLength];
        for (var received = 0; received < length;)
        {
            var left = timeout - Stopwatch.GetElapsedTime(started);
            if (Polling.Wait([socket], left) is null)
                throw new TimeoutException($"{received} of {length} bytes came in {timeout.TotalSeconds} s");
            fixed (byte* data = bytes)
            {
                var vector = new iovec { iov_base = data + received, iov_len = (nuint)(length - received) };
                msghdr header = default;
                header.msg_iov = &vector;
                header.msg_iovlen = 1;
                header.msg_control = control;
                header.msg_controllen = ControlLength;
                var count = Libc.recvmsg(socket, &header, Libc.MSG_CMSG_CLOEXEC);
                if (count < 0 && Marshal.GetLastPInvokeError() == (int)Errno.EINTR)
                    continue;
                if (count <= 0)
                    return null;
                received += (int)count;
                Take(header, control, descriptors);
            }
        }

        return bytes;
    }

    private static void Attach(msghdr* header, byte* control, ReadOnlySpan<SafeFileHandle> descriptors)
    {
        var part = (cmsghdr*)control;
        part->cmsg_len = Libc.CMSG_LEN((nuint)descriptors.Length * sizeof(int));
        part->cmsg_level = Libc.SOL_SOCKET;
        part->cmsg_type = Libc.SCM_RIGHTS;

        // The vector holds every one of them open until its end.
        for (var i = 0; i < descriptors.Length; i++)
            ((int*)(control + Libc.CMSG_LEN(0)))[i] = (int)descriptors[i].DangerousGetHandle();
        header->msg_control = control;
        header->msg_controllen = Libc.CMSG_SPACE((nuint)descriptors.Length * sizeof(int));
    }

    private static void Take(in msghdr header, byte* control, List<SafeFileHandle> descriptors)
    {
        var part = (cmsghdr*)control;
        if (header.msg_controllen < (nuint)sizeof(cmsghdr) || part->cmsg_type != Libc.SCM_RIGHTS)
            return;
        for (nuint i = 0; i < (part->cmsg_len - Libc.CMSG_LEN(0)) / sizeof(int); i++)
            descriptors.Add(new(((int*)(control + Libc.CMSG_LEN(0)))[i], ownsHandle: true));
    }
}
