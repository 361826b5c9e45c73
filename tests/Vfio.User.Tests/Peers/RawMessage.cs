using System.Buffers.Binary;

namespace Vfio.User.Tests.Peers;

/// <summary>A message as bytes, by the protocol's text: these tests share no constant with the server.</summary>
internal sealed record RawMessage(byte[] Bytes, int[] Descriptors)
{
    public ushort Id => BinaryPrimitives.ReadUInt16LittleEndian(Bytes);

    public ushort Command => BinaryPrimitives.ReadUInt16LittleEndian(Bytes.AsSpan(2));

    public uint Size => BinaryPrimitives.ReadUInt32LittleEndian(Bytes.AsSpan(4));

    public uint Flags => BinaryPrimitives.ReadUInt32LittleEndian(Bytes.AsSpan(8));

    public int Error => BinaryPrimitives.ReadInt32LittleEndian(Bytes.AsSpan(12));

    public byte[] Payload => Bytes[16..];

    public static byte[] Build(ushort id, ushort command, ReadOnlySpan<byte> payload, uint flags = 0, uint error = 0, uint? size = null)
    {
        var bytes = new byte[16 + payload.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, id);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2), command);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), size ?? (uint)bytes.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), error);
        payload.CopyTo(bytes.AsSpan(16));
        return bytes;
    }
}

/// <summary>Little-endian payloads, field by field: each argument at its own width.</summary>
internal static class Fields
{
    public static byte[] Of(params object[] fields)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        foreach (var field in fields)
        {
            switch (field)
            {
                case byte value: writer.Write(value); break;
                case ushort value: writer.Write(value); break;
                case uint value: writer.Write(value); break;
                case int value: writer.Write(value); break;
                case ulong value: writer.Write(value); break;
                case byte[] value: writer.Write(value); break;
                default: throw new ArgumentException($"{field.GetType()} has no width here");
            }
        }

        return stream.ToArray();
    }
}
