using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.OracleReplay.Hardware;
using Vfio.User;

namespace Vfio.OracleReplay.Wire;

/// <summary>A recorded function behind the vfio-user server, and the client at the other end of its socket.</summary>
internal sealed class ServedDevice : IAsyncDisposable
{
    private const int HeaderLength = 16, LongestReply = 1 << 20;
    private const uint TypeMask = 0xF, ReplyType = 1, ErrorFlag = 0x20;
    private readonly SafeFileHandle _socket;
    private readonly Task _serving;
    private ushort _next;

    private ServedDevice(SafeFileHandle socket, Task serving)
    {
        _socket = socket;
        _serving = serving;
    }

    public static async ValueTask<ServedDevice> StartAsync(RecordedHardware hardware)
    {
        var device = await OpenDevice.BindAsync(new RecordedFunction(hardware)).ConfigureAwait(false);
        var (ours, theirs) = Pair();
        var options = new VfioUserServerOptions { Name = hardware.Name, EndAfterOneClient = true };
        var server = new VfioUserServer(device, options);
        var served = new ServedDevice(ours, server.RunAsync(VfioUserEndpoint.Descriptor(theirs), CancellationToken.None));
        var version = served.Request(Command.Version, [0, 0, 0, 0, .. "{\"capabilities\":{\"max_msg_fds\":8}}\0"u8]);
        return version.Error == Errno.None ? served : throw new VfioException(version.Error, $"the server does not open {hardware.Name}");
    }

    /// <summary>Sends a request and waits for its reply. Descriptors that come along are dropped.</summary>
    public WireReply Request(Command command, ReadOnlySpan<byte> payload)
    {
        var id = _next++;
        var message = new byte[HeaderLength + payload.Length];
        MemoryMarshal.Write(message, id);
        MemoryMarshal.Write(message.AsSpan(2), (ushort)command);
        MemoryMarshal.Write(message.AsSpan(4), message.Length);
        payload.CopyTo(message.AsSpan(HeaderLength));
        Transfer(message, write: true);

        var header = new byte[HeaderLength];
        Transfer(header, write: false);
        var (length, flags) = (BitConverter.ToInt32(header, 4), BitConverter.ToUInt32(header, 8));
        if (BitConverter.ToUInt16(header) != id || (flags & TypeMask) != ReplyType || length is < HeaderLength or > LongestReply)
            throw new InvalidOperationException($"the server's reply to {command} is none");
        var body = new byte[length - HeaderLength];
        Transfer(body, write: false);
        return (flags & ErrorFlag) != 0 ? new((Errno)BitConverter.ToInt32(header, 12), []) : new(Errno.None, body);
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _serving.ConfigureAwait(false);
    }

    private static unsafe (SafeFileHandle Ours, SafeFileHandle Theirs) Pair()
    {
        var sockets = stackalloc int[2];
        if (Libc.socketpair(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0, sockets) != 0)
            throw VfioException.FromLibc("socketpair");
        return (new(sockets[0], ownsHandle: true), new(sockets[1], ownsHandle: true));
    }

    private unsafe void Transfer(Span<byte> bytes, bool write)
    {
        fixed (byte* start = bytes)
        {
            for (var done = 0; done < bytes.Length;)
            {
                var left = (nuint)(bytes.Length - done);
                var count = write ? Libc.write(_socket, start + done, left) : Libc.read(_socket, start + done, left);
                if (count == 0)
                    throw new InvalidOperationException("the server has hung up");
                if (count < 0 && Marshal.GetLastPInvokeError() != (int)Errno.EINTR)
                    throw VfioException.FromLibc("the server's socket");
                done += (int)Math.Max(count, 0);
            }
        }
    }
}
