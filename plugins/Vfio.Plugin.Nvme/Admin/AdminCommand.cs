using System.Buffers.Binary;

namespace Vfio.Plugin.Nvme.Admin;

/// <summary>Admin commands and their completions as they lie in memory. Source: NVM Express Base Specification 2.3, 4.1 and 4.2.</summary>
internal static class AdminCommand
{
    /// <summary>Bytes of a submission queue entry.</summary>
    public const int Length = 64;

    /// <summary>Bytes of a completion queue entry.</summary>
    public const int CompletionLength = 16;

    private const byte IdentifyOpcode = 0x06;
    private const int Cdw10 = 40;
    private const int StatusOffset = 14;

    /// <summary>An Identify command.</summary>
    /// <param name="cns">Which structure: the CNS field of CDW10.</param>
    /// <param name="controllerId">The CNTID field of CDW10.</param>
    public static byte[] Identify(byte cns, ushort controllerId)
    {
        var command = new byte[Length];
        command[0] = IdentifyOpcode;
        BinaryPrimitives.WriteUInt32LittleEndian(command.AsSpan(Cdw10), cns | ((uint)controllerId << 16));
        return command;
    }

    /// <summary>A completion's status: code type in bits 10:8, code in bits 7:0; 0 is success.</summary>
    /// <param name="completion">The completion queue entry.</param>
    public static int Status(ReadOnlySpan<byte> completion)
        => (BinaryPrimitives.ReadUInt16LittleEndian(completion[StatusOffset..]) >> 1) & 0x7FF;
}
