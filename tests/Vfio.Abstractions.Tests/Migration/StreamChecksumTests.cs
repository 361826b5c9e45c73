using System.Buffers;

namespace Vfio.Tests.Migration;

public sealed class StreamChecksumTests
{
    [Fact]
    public void The_sum_is_CRC_32C()
        => Assert.Equal(0xE3069283, StreamChecksum.Final(StreamChecksum.Append(StreamChecksum.Initial, "123456789"u8)));

    [Fact]
    public void Long_pieces_and_short_ones_make_the_same_sum()
    {
        var bytes = new byte[20_000];
        new Random(5).NextBytes(bytes);
        foreach (var length in new[] { 0, 1, 7, 8, 3071, 3072, 3073, 6143, 6144, 12_345, 20_000 })
        {
            var expected = bytes.AsSpan(0, length).ToArray().Aggregate(StreamChecksum.Initial, (sum, b) => StreamChecksum.Append(sum, [b]));
            Assert.Equal(expected, StreamChecksum.Append(StreamChecksum.Initial, bytes.AsSpan(0, length)));
            Assert.Equal(expected, StreamChecksum.Append(StreamChecksum.Initial, new ReadOnlySequence<byte>(bytes, 0, length)));
        }
    }
}
