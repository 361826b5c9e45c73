using System.Buffers.Binary;
using System.Text;

namespace Vfio;

/// <summary>
/// How a data stream is framed. All numbers are little-endian. A record is a header of 16 bytes, as a variant driver of the kernel has it
/// (u64 size of what follows, u32 flags, u32 tag), a payload, and a trailer of 8 bytes: u32 number of the record in the stream from 0, u32
/// CRC-32C over headers, payloads and numbers of the stream up to here, the trailers' own sums left out. The first record says whose
/// stream it is, the last how many records came before it.
/// </summary>
internal static class RecordFormat
{
    public const int HeaderBytes = 16, TrailerBytes = 8, FrameBytes = HeaderBytes + TrailerBytes;

    /// <summary>The version of all this. The first record is framed alike in every version.</summary>
    public const uint Version = 1;

    public const uint StartTag = 0xFFFF_0000, EndTag = 0xFFFF_0001;

    public const int EndBytes = sizeof(ulong);

    public const int LongestName = 64;

    /// <summary>No record of any reader's is longer, be it skipped: as in the kernel.</summary>
    public const ulong SizeLimit = uint.MaxValue;

    // Of the first record's payload: magic, version of the framing, version of the layout, bytes of the name, the name.
    private const int VersionOffset = 8, LayoutOffset = 12, NameLengthOffset = 16, NameOffset = 20;

    public const int ShortestStart = NameOffset + 1, LongestStart = NameOffset + LongestName;

    private static ReadOnlySpan<byte> Magic => "vfiomigr"u8;

    public static void WriteHeader(Span<byte> header, int payload, RecordFlags flags, uint tag)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)(payload + TrailerBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], (uint)flags);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], tag);
    }

    public static RecordHeader ReadHeader(ReadOnlySpan<byte> header)
        => new(
            BinaryPrimitives.ReadUInt64LittleEndian(header),
            (RecordFlags)BinaryPrimitives.ReadUInt32LittleEndian(header[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(header[12..]));

    public static int WriteStart(Span<byte> payload, uint layout, ReadOnlySpan<byte> name)
    {
        Magic.CopyTo(payload);
        BinaryPrimitives.WriteUInt32LittleEndian(payload[VersionOffset..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(payload[LayoutOffset..], layout);
        BinaryPrimitives.WriteUInt32LittleEndian(payload[NameLengthOffset..], (uint)name.Length);
        name.CopyTo(payload[NameOffset..]);
        return NameOffset + name.Length;
    }

    /// <returns>The version of the layout; EBADMSG, EOPNOTSUPP and EINVAL as the reader answers them.</returns>
    public static VfioResult<uint> ReadStart(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> name)
    {
        if (!payload.StartsWith(Magic))
            return Errno.EBADMSG;
        if (BinaryPrimitives.ReadUInt32LittleEndian(payload[VersionOffset..]) != Version)
            return Errno.EOPNOTSUPP;
        if (BinaryPrimitives.ReadUInt32LittleEndian(payload[NameLengthOffset..]) != payload.Length - NameOffset)
            return Errno.EBADMSG;
        return payload[NameOffset..].SequenceEqual(name) ? BinaryPrimitives.ReadUInt32LittleEndian(payload[LayoutOffset..]) : Errno.EINVAL;
    }

    public static byte[] EncodeName(string name)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        return bytes.Length is > 0 and <= LongestName
            ? bytes
            : throw new ArgumentException($"the name of a stream has 1 to {LongestName} bytes, not {bytes.Length}", nameof(name));
    }
}

[Flags]
internal enum RecordFlags : uint
{
    None = 0,

    /// <summary>A reader that does not know the tag may go on.</summary>
    Optional = 1,

    /// <summary>The next record, of the same tag, goes on with the payload.</summary>
    Continues = 2,

    Known = Optional | Continues,
}

/// <param name="Size">Bytes of payload and trailer.</param>
/// <param name="Flags">The flags.</param>
/// <param name="Tag">What it holds.</param>
internal readonly record struct RecordHeader(ulong Size, RecordFlags Flags, uint Tag);
