using System.Runtime.InteropServices;

namespace Vfio.Simulation.Nvme.Layout;

/// <summary>A submission queue entry. Source: NVM Express Base Specification 1.4, 4.2.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct SubmissionEntry
{
    internal const int Bytes = 64;

    [FieldOffset(0)]
    internal byte Opcode;

    /// <summary>FUSE in bits 1:0, PSDT in bits 7:6.</summary>
    [FieldOffset(1)]
    internal byte Flags;

    [FieldOffset(2)]
    internal ushort CommandId;

    [FieldOffset(4)]
    internal uint NamespaceId;

    [FieldOffset(24)]
    internal ulong Prp1;

    [FieldOffset(32)]
    internal ulong Prp2;

    [FieldOffset(40)]
    internal uint Cdw10;

    [FieldOffset(44)]
    internal uint Cdw11;

    [FieldOffset(48)]
    internal uint Cdw12;

    [FieldOffset(52)]
    internal uint Cdw13;

    [FieldOffset(56)]
    internal uint Cdw14;

    [FieldOffset(60)]
    internal uint Cdw15;

    private const byte FuseMask = 3, SglMask = 0xC0;

    /// <summary>Whether the entry asks for what these controllers lack: fused commands or scatter gather lists.</summary>
    internal readonly bool HasUnsupportedFlags => (Flags & (FuseMask | SglMask)) != 0;
}

/// <summary>A completion queue entry. Source: NVM Express Base Specification 1.4, 4.6.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct CompletionEntry
{
    internal const int Bytes = 16;

    /// <summary>Where the dword with the phase lies: what is written last.</summary>
    internal const int PhaseOffset = 12;

    internal const ushort Phase = 1;

    [FieldOffset(0)]
    internal uint Dword0;

    [FieldOffset(4)]
    internal uint Dword1;

    [FieldOffset(8)]
    internal ushort SubmissionHead;

    [FieldOffset(10)]
    internal ushort SubmissionId;

    [FieldOffset(12)]
    internal ushort CommandId;

    /// <summary>The phase in bit 0, the status above it.</summary>
    [FieldOffset(14)]
    internal ushort StatusPhase;
}
