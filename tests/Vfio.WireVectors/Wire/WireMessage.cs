using Microsoft.Win32.SafeHandles;

namespace Vfio.WireVectors.Wire;

/// <summary>A message as it came.</summary>
internal sealed record WireMessage(ushort Id, ushort Command, uint Flags, int Error, byte[] Body, IReadOnlyList<SafeFileHandle> Descriptors)
    : IDisposable
{
    public const int HeaderLength = 16;
    public const uint TypeMask = 0xF, ReplyType = 1, NoReplyFlag = 0x10, ErrorFlag = 0x20;

    public bool IsReply => (Flags & TypeMask) == ReplyType;

    public static byte[] Header(ushort id, ushort command, uint size, uint flags, int error)
    {
        var header = new byte[HeaderLength];
        BitConverter.TryWriteBytes(header, id);
        BitConverter.TryWriteBytes(header.AsSpan(2), command);
        BitConverter.TryWriteBytes(header.AsSpan(4), size);
        BitConverter.TryWriteBytes(header.AsSpan(8), flags);
        BitConverter.TryWriteBytes(header.AsSpan(12), error);
        return header;
    }

    public void Dispose()
    {
        foreach (var descriptor in Descriptors)
            descriptor.Dispose();
    }
}
