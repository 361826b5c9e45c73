using System.Runtime.InteropServices;

namespace Vfio.User.Wire;

/// <summary>What every message begins with; the host's byte order, like everything on the wire.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MessageHeader
{
    public const int Size = 16;

    public ushort Id;
    public Command Command;

    /// <summary>Bytes of the whole message, this header included.</summary>
    public uint MessageSize;

    public MessageFlags Flags;

    /// <summary>An errno, in a reply with <see cref="MessageFlags.Error"/>.</summary>
    public uint Error;

    public readonly MessageFlags Type => Flags & MessageFlags.TypeMask;

    public readonly bool NoReply => (Flags & MessageFlags.NoReply) != 0;
}

[Flags]
internal enum MessageFlags : uint
{
    Command = 0,
    Reply = 1,
    TypeMask = 0xF,
    NoReply = 0x10,
    Error = 0x20,
}
