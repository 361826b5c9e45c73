using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Tool.Demo.Client;

/// <summary>
/// The least of a vfio-user client: negotiates a version and reads registers. Source: the vfio-user protocol, version 0.0.
/// </summary>
internal sealed unsafe class VfioUserClient : IDisposable
{
    private const int HeaderLength = 16;
    private const int LongestReply = 1024 * 1024;
    private const ushort VersionCommand = 1, DeviceGetInfoCommand = 4, RegionReadCommand = 9;
    private const uint ReplyType = 1, ErrorFlag = 0x20;
    private readonly SafeFileHandle _socket;
    private ushort _next;

    private VfioUserClient(SafeFileHandle socket) => _socket = socket;

    /// <summary>Connects and negotiates.</summary>
    /// <param name="path">The server's socket.</param>
    /// <param name="version">What the server answered.</param>
    /// <exception cref="VfioException">Nobody listens there, or it does not speak the protocol.</exception>
    public static VfioUserClient Connect(string path, out string version)
    {
        var socket = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0);
        var client = new VfioUserClient(socket);
        try
        {
            var address = new sockaddr_un { sun_family = Libc.AF_UNIX };
            var bytes = Encoding.UTF8.GetBytes(path);
            if (bytes.Length >= 108)
                throw new VfioException(Errno.EINVAL, $"{path} is longer than the path of a socket can be");
            for (var i = 0; i < bytes.Length; i++)
                address.sun_path[i] = bytes[i];
            if (socket.IsInvalid || Libc.connect(socket, &address, (uint)sizeof(sockaddr_un)) != 0)
                throw VfioException.FromLibc($"connect to {path}");
            var reply = client.Call(VersionCommand, [0, 0, 0, 0, .. "{\"capabilities\":{\"max_msg_fds\":8}}\0"u8]);
            version = $"{BinaryPrimitives.ReadUInt16LittleEndian(reply)}.{BinaryPrimitives.ReadUInt16LittleEndian(reply.AsSpan(2))} "
                + Encoding.UTF8.GetString(reply.AsSpan(4)).TrimEnd('\0');
            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>How many regions and IRQ indexes the device has.</summary>
    public (uint Regions, uint Irqs) GetInfo()
    {
        var request = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(request, 16);
        var reply = Call(DeviceGetInfoCommand, request);
        return (BinaryPrimitives.ReadUInt32LittleEndian(reply.AsSpan(8)), BinaryPrimitives.ReadUInt32LittleEndian(reply.AsSpan(12)));
    }

    /// <summary>Reads a region.</summary>
    public byte[] Read(int region, ulong offset, int count)
    {
        var request = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(request, offset);
        BinaryPrimitives.WriteInt32LittleEndian(request.AsSpan(8), region);
        BinaryPrimitives.WriteInt32LittleEndian(request.AsSpan(12), count);
        return Call(RegionReadCommand, request)[16..];
    }

    public void Dispose() => _socket.Dispose();

    private byte[] Call(ushort command, ReadOnlySpan<byte> payload)
    {
        var id = _next++;
        var message = new byte[HeaderLength + payload.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(message, id);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(2), command);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(4), message.Length);
        payload.CopyTo(message.AsSpan(HeaderLength));
        Transfer(message, write: true);

        var header = new byte[HeaderLength];
        Transfer(header, write: false);
        var length = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4));
        var flags = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8));
        if (BinaryPrimitives.ReadUInt16LittleEndian(header) != id || (flags & 0xF) != ReplyType
            || length is < HeaderLength or > LongestReply)
        {
            throw new VfioException(Errno.EPROTO, $"the server's reply to command {command} is none");
        }

        var reply = new byte[length - HeaderLength];
        Transfer(reply, write: false);
        return (flags & ErrorFlag) == 0
            ? reply
            : throw new VfioException(
                (Errno)BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(12)), $"the server refused command {command}");
    }

    private void Transfer(Span<byte> bytes, bool write)
    {
        const int Interrupted = (int)Errno.EINTR;
        fixed (byte* start = bytes)
        {
            for (var done = 0; done < bytes.Length;)
            {
                var count = write
                    ? Libc.write(_socket, start + done, (nuint)(bytes.Length - done))
                    : Libc.read(_socket, start + done, (nuint)(bytes.Length - done));
                if (count > 0)
                    done += (int)count;
                else if (count == 0)
                    throw new VfioException(Errno.ECONNRESET, "the server hung up");
                else if (Marshal.GetLastPInvokeError() != Interrupted)
                    throw VfioException.FromLibc("the server's socket");
            }
        }
    }
}
