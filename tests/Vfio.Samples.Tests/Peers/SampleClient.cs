using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

namespace Vfio.Samples.Tests.Peers;

/// <summary>
/// Says what libvfio-user's sample client says, with its message ids, and compares every answer to the byte. Numbers are written out: the
/// tests share no constant with the server.
/// </summary>
internal sealed class SampleClient(RawSocket socket) : IDisposable
{
    private const uint Reply = 1, ErrorReply = 0x21;
    private const uint SetFeature = 1 << 17, GetFeature = 1 << 16;
    private ushort _accessId = 0xF00F, _stateId = 0xFAB1, _readId = 0x6904, _writeId = 0x2023;

    public RawSocket Socket { get; } = socket;

    /// <summary>Negotiates as the sample does: 1024 bytes of data in a message.</summary>
    /// <returns>How many descriptors the server takes in a message.</returns>
    public int Negotiate()
    {
        const string Json = "{\"capabilities\":{\"max_msg_fds\":32,\"max_data_xfer_size\":1024}}";
        var answer = Ask(0xDA55, 1, Fields.Of((ushort)0, (ushort)2, Encoding.UTF8.GetBytes(Json + "\0")));
        Assert.Equal((Reply, 0), (answer.Flags, answer.Error));
        Assert.Equal([0, 0], answer.Payload[..2]);
        Assert.InRange(answer.Payload[2], 0, 2);
        Assert.Equal(0, answer.Payload[^1]);
        using var json = System.Text.Json.JsonDocument.Parse(answer.Payload.AsMemory(4, answer.Payload.Length - 5));
        return json.RootElement.GetProperty("capabilities").GetProperty("max_msg_fds").GetInt32();
    }

    public RawMessage Ask(ushort id, ushort command, byte[] payload, params SafeFileHandle[] descriptors)
    {
        Assert.True(Socket.Send(RawMessage.Build(id, command, payload), descriptors), "the server has closed the connection");
        var answer = Socket.ReceiveMessage() ?? throw new EndOfStreamException("the server has closed the connection");
        Assert.Equal((id, command), (answer.Id, answer.Command));
        return answer;
    }

    /// <summary>A message whose answer is known to the byte.</summary>
    public void Expect(byte[] expected, ushort id, ushort command, byte[] payload, params SafeFileHandle[] descriptors)
    {
        var answer = Ask(id, command, payload, descriptors);
        Assert.Equal(RawMessage.Build(id, command, expected, Reply), answer.Bytes);
        Assert.Empty(answer.Descriptors);
    }

    public void Refuse(Errno error, ushort id, ushort command, byte[] payload)
        => Assert.Equal(RawMessage.Build(id, command, [], ErrorReply, (uint)error), Ask(id, command, payload).Bytes);

    public void RefuseRead(Errno error, uint region, ulong offset, uint count)
        => Refuse(error, _accessId--, 9, Fields.Of(offset, region, count));

    public byte[] Read(uint region, ulong offset, uint count)
    {
        var id = _accessId--;
        var answer = Ask(id, 9, Fields.Of(offset, region, count));
        var data = answer.Payload[16..];
        Assert.Equal(RawMessage.Build(id, 9, Fields.Of(offset, region, count, data), Reply), answer.Bytes);
        Assert.Equal((int)count, data.Length);
        return data;
    }

    public void Write(uint region, ulong offset, params byte[] data)
    {
        var place = Fields.Of(offset, region, (uint)data.Length);
        Expect(place, _accessId--, 10, [.. place, .. data]);
    }

    public void Map(int index, SafeFileHandle file)
        => Expect([], (ushort)(0x1234 + index), 2, Fields.Of(32u, 3u, (ulong)index * 4096, (ulong)index * 4096, 4096ul), file);

    /// <summary>SET_IRQS of INTx with an eventfd.</summary>
    public void ListenToIntx(SafeFileHandle eventFd) => Expect([], 0x1BAE, 8, Fields.Of(20u, 0x24u, 0u, 0u, 1u), eventFd);

    public void SetState(uint state)
    {
        var request = Fields.Of(16u, SetFeature | 2, state, -1);
        Expect(request, _stateId--, 16, request);
    }

    /// <summary>MIG_DATA_READ of 1024 bytes; the answer has that length however much of it counts.</summary>
    public byte[] ReadData()
    {
        var id = _readId--;
        var answer = Ask(id, 17, Fields.Of(1032u, 1024u));
        Assert.Equal((Reply, 0, 16u + 8 + 1024), (answer.Flags, answer.Error, answer.Size));
        var count = BitConverter.ToInt32(answer.Payload, 4);
        return answer.Payload[8..(8 + count)];
    }

    public RawMessage WriteData(byte[] data) => Ask(_writeId--, 18, Fields.Of((uint)(8 + data.Length), (uint)data.Length, data));

    public void LogDma(ushort feature)
    {
        var answer = Ask(0, 16, Fields.Of(24u, SetFeature | feature, 4096ul, 0u, 0u));
        Assert.Equal((Reply, 0), (answer.Flags, answer.Error));
    }

    /// <summary>Whether a page was written.</summary>
    public bool IsDirty(ulong iova)
    {
        var place = Fields.Of(40u, GetFeature | 8, iova, 4096ul, 4096ul);
        var answer = Ask(0x99, 16, place);
        Assert.Equal(RawMessage.Build(0x99, 16, Fields.Of(place, answer.Payload[^8..]), Reply), answer.Bytes);
        var bitmap = BitConverter.ToUInt64(answer.Payload.AsSpan(32));
        Assert.InRange(bitmap, 0ul, 1ul);
        return bitmap != 0;
    }

    /// <summary>Serves the DMA of the alarm, of 1024 bytes a message: four writes of letters, four reads of them.</summary>
    public void ServeDma(ulong iova)
    {
        var memory = new byte[4096];
        for (var at = 0; at < memory.Length; at += 1024)
        {
            var asked = Socket.ReceiveMessage()!;
            memory.AsSpan(at, 1024).Fill((byte)('A' + (at / 1024)));
            var place = Fields.Of(iova + (uint)at, 1024ul);
            Assert.Equal(RawMessage.Build(asked.Id, 12, [.. place, .. memory[at..(at + 1024)]]), asked.Bytes);
            Assert.True(Socket.Send(RawMessage.Build(asked.Id, 12, place, Reply)));
        }

        for (var at = 0; at < memory.Length; at += 1024)
        {
            var asked = Socket.ReceiveMessage()!;
            var place = Fields.Of(iova + (uint)at, 1024ul);
            Assert.Equal(RawMessage.Build(asked.Id, 11, place), asked.Bytes);
            Assert.True(Socket.Send(RawMessage.Build(asked.Id, 11, [.. place, .. memory[at..(at + 1024)]], Reply)));
        }
    }

    public void Dispose() => Socket.Dispose();
}
