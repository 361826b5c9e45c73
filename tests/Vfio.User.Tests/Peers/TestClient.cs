using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Vfio.User.Tests.Peers;

/// <summary>A client of a test. Numbers are written out: command 9 is REGION_READ because the specification says 9.</summary>
internal sealed class TestClient(RawSocket socket) : IDisposable
{
    public const string QemuCapabilities =
        "{\"capabilities\": {\"pgsizes\": 4096, \"max_msg_fds\": 16, \"max_dma_maps\": 65535, \"max_data_xfer_size\": 1048576, "
        + "\"migration\": {\"max_bitmap_size\": 268435456, \"pgsize\": 4096}, \"write_multiple\": true}}";

    private ushort _id;

    public RawSocket Socket { get; } = socket;

    public static TestClient Connect(string path) => new(RawSocket.Connect(path));

    /// <summary>Connects and negotiates as QEMU does.</summary>
    public static TestClient ConnectAndNegotiate(string path, string capabilities = QemuCapabilities)
    {
        var client = Connect(path);
        client.Negotiate(capabilities);
        return client;
    }

    public static byte[] VersionPayload(ushort major, ushort minor, string? json)
        => Fields.Of(major, minor, json is null ? Array.Empty<byte>() : Encoding.UTF8.GetBytes(json + "\0"));

    public RawMessage Negotiate(string? capabilities = QemuCapabilities, ushort minor = 0)
    {
        var reply = Request(1, VersionPayload(0, minor, capabilities));
        Assert.Equal(1u, reply.Flags);
        return reply;
    }

    public ushort Send(ushort command, ReadOnlySpan<byte> payload, uint flags = 0, params SafeFileHandle[] descriptors)
    {
        var id = _id++;
        Assert.True(Socket.Send(RawMessage.Build(id, command, payload, flags), descriptors), "the server has closed the connection");
        return id;
    }

    public RawMessage Receive() => Socket.ReceiveMessage() ?? throw new EndOfStreamException("the server has closed the connection");

    /// <summary>Sends a command and receives its reply, whatever it is.</summary>
    public RawMessage Request(ushort command, ReadOnlySpan<byte> payload, params SafeFileHandle[] descriptors)
    {
        var id = Send(command, payload, 0, descriptors);
        var reply = Receive();
        Assert.Equal((id, command), (reply.Id, reply.Command));
        return reply;
    }

    /// <summary>Sends a command that must succeed.</summary>
    /// <returns>The payload of the reply.</returns>
    public byte[] Succeed(ushort command, ReadOnlySpan<byte> payload, params SafeFileHandle[] descriptors)
    {
        var reply = Request(command, payload, descriptors);
        Assert.Equal((1u, 0), (reply.Flags, reply.Error));
        return reply.Payload;
    }

    /// <summary>Sends a command that must be refused.</summary>
    public void Refuse(Errno error, ushort command, ReadOnlySpan<byte> payload, params SafeFileHandle[] descriptors)
    {
        var reply = Request(command, payload, descriptors);
        Assert.Equal((0x21u, error, 16u), (reply.Flags, (Errno)reply.Error, reply.Size));
    }

    public byte[] ReadRegion(uint region, ulong offset, uint count) => Succeed(9, Fields.Of(offset, region, count))[16..];

    public void WriteRegion(uint region, ulong offset, params byte[] data)
        => Assert.Equal(Fields.Of(offset, region, (uint)data.Length), Succeed(10, Fields.Of(offset, region, (uint)data.Length, data)));

    /// <summary>Takes the device to a migration state.</summary>
    public void SetState(uint state) => Succeed(16, Fields.Of(16u, 2u | (1u << 17), state, -1));

    public static byte[] Map(ulong address, ulong size, uint flags = 3, ulong offset = 0) => Fields.Of(32u, flags, offset, address, size);

    public static byte[] Unmap(ulong address, ulong size, uint flags = 0) => Fields.Of(24u, flags, address, size);

    /// <summary>The server has closed the connection, after having sent nothing more.</summary>
    public void AssertClosed() => Assert.Null(Socket.ReceiveMessage());

    public void Dispose() => Socket.Dispose();
}
