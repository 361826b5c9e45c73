using System.Buffers.Binary;
using System.Numerics;

namespace Vfio.Core.Orchestration.Container;

/// <summary>
/// What goes between two sides, and into a file: a preamble, then frames. Every checksum covers the one before it, so that nothing can be
/// altered, left out, added or put elsewhere. All integers are little-endian. docs/migration.md has the layout.
/// </summary>
internal static class ContainerFormat
{
    public const int PreambleSize = 16;
    public const int HeaderSize = 16;
    public const int MaxPayload = 1 << 20;
    public const int MaxDevices = 256;
    public const int MaxTextSize = 1024;
    public const ushort Major = 1;
    public const ushort Minor = 0;

    /// <summary>A frame of a kind with this bit is passed over by who does not know it; of any other it is refused.</summary>
    public const uint Optional = 1u << 31;

    public static ReadOnlySpan<byte> Magic => "VFIOMIGR"u8;

    public static uint WritePreamble(Span<byte> to)
    {
        Magic.CopyTo(to);
        BinaryPrimitives.WriteUInt16LittleEndian(to[8..], Major);
        BinaryPrimitives.WriteUInt16LittleEndian(to[10..], Minor);
        var sum = Checksum(0, to[..12]);
        BinaryPrimitives.WriteUInt32LittleEndian(to[12..], sum);
        return sum;
    }

    public static uint ReadPreamble(ReadOnlySpan<byte> from)
    {
        if (!from[..8].SequenceEqual(Magic))
            throw new MigrationStepException(Errno.EBADMSG, "this is no migration: it does not begin with VFIOMIGR");
        var major = BinaryPrimitives.ReadUInt16LittleEndian(from[8..]);
        var sum = Checksum(0, from[..12]);
        if (sum != BinaryPrimitives.ReadUInt32LittleEndian(from[12..]))
            throw new MigrationStepException(Errno.EBADMSG, "the migration's preamble is damaged");
        if (major != Major)
            throw new MigrationStepException(Errno.EOPNOTSUPP, $"the migration has version {major} of the format; this side knows {Major}");
        return sum;
    }

    /// <summary>CRC-32C.</summary>
    public static uint Checksum(uint before, ReadOnlySpan<byte> bytes)
    {
        var crc = ~before;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var one in bytes)
            crc = BitOperations.Crc32C(crc, one);
        return ~crc;
    }
}

/// <summary>What a frame says. Those of the destination begin at 100h.</summary>
internal enum FrameKind : uint
{
    /// <summary>Which devices there are: the first frame.</summary>
    Table = 1,

    /// <summary>A piece of a device's data stream.</summary>
    Data = 2,

    /// <summary>A device's data stream has ended; how long it was.</summary>
    DeviceEnd = 3,

    /// <summary>All data streams have ended.</summary>
    End = 4,

    /// <summary>The source is in STOP and stays there: the destination may run. The last frame of a file.</summary>
    Stopped = 5,

    /// <summary>The source gives up and runs on.</summary>
    GivenUp = 6,

    /// <summary>The destination is RESUMING.</summary>
    Accepted = 0x100,

    /// <summary>The destination has everything, and is in STOP.</summary>
    Loaded = 0x101,

    /// <summary>The destination runs.</summary>
    Running = 0x102,

    /// <summary>The destination does not run and will not; why, and whether any of its devices has run meanwhile.</summary>
    Refused = 0x103,
}

/// <summary>A frame. Its payload is good until the next one is read.</summary>
internal readonly record struct Frame(FrameKind Kind, uint Device, ReadOnlyMemory<byte> Payload);
