using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Vfio;

/// <summary>
/// CRC-32C over a stream, piece by piece. The processor's instruction takes three cycles for 8 bytes but can start one each cycle, so long
/// pieces are taken as three at once, and put together by the linearity of the sum.
/// </summary>
internal static class StreamChecksum
{
    /// <summary>Where a sum begins.</summary>
    public const uint Initial = uint.MaxValue;

    private const int Lane = 1024, LaneWords = Lane / sizeof(ulong), BytesOfSum = sizeof(uint);

    // What a sum becomes by a lane of zeros, for each value of each of its bytes.
    private static readonly uint[] PastLane = MakePastLane();

    /// <summary>The sum as it is stored.</summary>
    public static uint Final(uint sum) => ~sum;

    /// <summary>Goes on with more bytes.</summary>
    public static uint Append(uint sum, in ReadOnlySequence<byte> bytes)
    {
        if (bytes.IsSingleSegment)
            return Append(sum, bytes.FirstSpan);
        foreach (var piece in bytes)
            sum = Append(sum, piece.Span);
        return sum;
    }

    /// <summary>Goes on with more bytes.</summary>
    public static uint Append(uint sum, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 3 * Lane; bytes = bytes[(3 * Lane)..])
        {
            var first = MemoryMarshal.Cast<byte, ulong>(bytes[..Lane]);
            var second = MemoryMarshal.Cast<byte, ulong>(bytes.Slice(Lane, Lane));
            var third = MemoryMarshal.Cast<byte, ulong>(bytes.Slice(2 * Lane, Lane));
            uint secondSum = 0, thirdSum = 0;
            for (var i = 0; i < LaneWords; i++)
            {
                sum = BitOperations.Crc32C(sum, LittleEndian(first[i]));
                secondSum = BitOperations.Crc32C(secondSum, LittleEndian(second[i]));
                thirdSum = BitOperations.Crc32C(thirdSum, LittleEndian(third[i]));
            }

            sum = Past(Past(sum) ^ secondSum) ^ thirdSum;
        }

        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            sum = BitOperations.Crc32C(sum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var value in bytes)
            sum = BitOperations.Crc32C(sum, value);
        return sum;
    }

    private static ulong LittleEndian(ulong value) => BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);

    private static uint Past(uint sum)
        => PastLane[(byte)sum] ^ PastLane[256 + (byte)(sum >> 8)] ^ PastLane[512 + (byte)(sum >> 16)] ^ PastLane[768 + (byte)(sum >> 24)];

    private static uint[] MakePastLane()
    {
        var table = new uint[BytesOfSum * 256];
        for (var i = 0; i < table.Length; i++)
        {
            var sum = (uint)(byte)i << (8 * (i >> 8));
            for (var word = 0; word < LaneWords; word++)
                sum = BitOperations.Crc32C(sum, 0ul);
            table[i] = sum;
        }

        return table;
    }
}
