using System.Buffers.Binary;

namespace Vfio.Tests.Migration;

/// <summary>Law 7: a truncated or altered stream never loads, and nothing of it is handed out that was not written so.</summary>
public sealed class DamagedStreamTests
{
    private byte[]? _stream;
    private List<RecordStream.Copy>? _records;

    [Fact]
    public async Task A_stream_that_ends_early_is_refused_wherever_it_ends()
    {
        var stream = RecordStream.Realistic(size: 100);
        Assert.InRange(stream.Length, 1000, 5000);
        for (var length = 0; length < stream.Length; length++)
            await AssertRefused(stream, stream[..length]);
    }

    [Fact]
    public async Task A_stream_that_goes_on_behind_its_end_is_refused()
    {
        var stream = RecordStream.Realistic();
        await AssertRefused(stream, [.. stream, 0]);
        await AssertRefused(stream, [.. stream, .. RecordStream.Split(stream)[^1]]);
        await AssertRefused(stream, [.. stream, .. stream]);
    }

    [Fact]
    public async Task Any_byte_of_a_small_stream_that_is_altered_is_noticed()
    {
        var stream = RecordStream.Realistic(size: 100);
        for (var at = 0; at < stream.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
                await AssertAltered(stream, at, (byte)(1 << bit));
        }
    }

    [Fact]
    public async Task An_alteration_at_a_thousand_random_places_is_noticed()
    {
        var stream = RecordStream.Realistic(size: 300_000);
        var random = new Random(11);
        for (var i = 0; i < 1000; i++)
        {
            var with = (byte)(i % 2 == 0 ? 1 << random.Next(8) : random.Next(1, 256));
            await AssertAltered(stream, random.Next(stream.Length), with, piece: random.Next(500, 100_000));
        }
    }

    [Fact]
    public async Task Records_that_are_missing_repeated_or_in_another_order_are_noticed()
    {
        var stream = RecordStream.Realistic();
        var records = RecordStream.Split(stream);
        for (var i = 0; i < records.Count; i++)
        {
            await AssertRefused(stream, RecordStream.Join([.. records[..i], .. records[(i + 1)..]]));
            await AssertRefused(stream, RecordStream.Join([.. records[..(i + 1)], .. records[i..]]));
            for (var j = i + 1; j < records.Count; j++)
            {
                List<byte[]> swapped = [.. records];
                (swapped[i], swapped[j]) = (swapped[j], swapped[i]);
                await AssertRefused(stream, RecordStream.Join(swapped));
            }
        }
    }

    [Fact]
    public async Task A_record_of_another_stream_of_the_same_device_is_noticed()
    {
        byte[] Stream(byte first) => RecordStream.Write(async writer =>
        {
            await writer.WriteAsync(0, new[] { first });
            await writer.WriteAsync(1, new byte[] { 1, 2, 3 });
            await writer.EndAsync();
        });
        var (one, other) = (RecordStream.Split(Stream(1)), RecordStream.Split(Stream(2)));
        // Up to the first record of either kind the two are one; from then on nothing of the one fits into the other.
        for (var i = 2; i < one.Count; i++)
            await AssertRefused(RecordStream.Join(one), RecordStream.Join([.. one[..i], other[i], .. one[(i + 1)..]]));
        await AssertRefused(RecordStream.Join(other), RecordStream.Join([one[0], other[1], .. one[2..]]));
    }

    [Fact]
    public async Task A_record_that_continues_is_continued()
    {
        // With the sums made right again: the rule itself is what refuses it.
        var stream = RecordStream.Write(async writer =>
        {
            writer.GetMemory(1);
            await writer.CommitAsync(1, 1, continues: true);
            writer.GetMemory(1);
            await writer.CommitAsync(1, 1);
            await writer.EndAsync();
        });
        var records = RecordStream.Split(stream);
        Assert.Equal(Errno.None, (await RecordStream.LoadAsync(RecordStream.Join(Resum(records)))).Error);
        BinaryPrimitives.WriteUInt32LittleEndian(records[2].AsSpan(12), 0);
        Assert.Equal(Errno.EBADMSG, (await RecordStream.LoadAsync(RecordStream.Join(Resum(records)))).Error);
        BinaryPrimitives.WriteUInt32LittleEndian(records[2].AsSpan(12), 1);
        records[2][8] = 2;
        Assert.Equal(Errno.EBADMSG, (await RecordStream.LoadAsync(RecordStream.Join(Resum(records)))).Error);
        records[2][8] = 4;
        Assert.Equal(Errno.EBADMSG, (await RecordStream.LoadAsync(RecordStream.Join(Resum(records)))).Error);
    }

    [Fact]
    public async Task A_later_version_of_the_framing_and_a_wrong_count_are_refused_with_the_sums_right()
    {
        var records = RecordStream.Split(RecordStream.Realistic());
        records[0][16 + 8]++;
        Assert.Equal(Errno.EOPNOTSUPP, (await RecordStream.LoadAsync(RecordStream.Join(Resum(records)))).Error);
        records[0][16 + 8]--;
        records[^1][16]++;
        Assert.Equal(Errno.EBADMSG, (await RecordStream.LoadAsync(RecordStream.Join(Resum(records)))).Error);
        records[^1][16]--;
        Assert.Equal(Errno.None, (await RecordStream.LoadAsync(RecordStream.Join(Resum(records)))).Error);
    }

    // The format once more, bit by bit.
    private static List<byte[]> Resum(List<byte[]> records)
    {
        var sum = uint.MaxValue;
        foreach (var record in records)
        {
            foreach (var value in record.AsSpan(..^4))
            {
                sum ^= value;
                for (var bit = 0; bit < 8; bit++)
                    sum = (sum & 1) != 0 ? (sum >> 1) ^ 0x82F63B78 : sum >> 1;
            }

            BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(record.Length - 4), ~sum);
        }

        return records;
    }

    private async Task AssertAltered(byte[] stream, int at, byte with, int piece = int.MaxValue)
    {
        var altered = (byte[])stream.Clone();
        altered[at] ^= with;
        await AssertRefused(stream, altered, piece);
    }

    private async Task AssertRefused(byte[] stream, byte[] damaged, int piece = int.MaxValue)
    {
        var loaded = await RecordStream.LoadAsync(damaged, piece);
        Assert.Contains(loaded.Error, new[] { Errno.EBADMSG, Errno.EOPNOTSUPP, Errno.ENOMEM, Errno.EINVAL });
        // What was handed out before it was noticed is what was written.
        var whole = await Whole(stream);
        Assert.True(loaded.Records.Count <= whole.Count);
        for (var i = 0; i < loaded.Records.Count; i++)
        {
            Assert.Equal(whole[i].Tag, loaded.Records[i].Tag);
            Assert.True(whole[i].Payload.AsSpan().SequenceEqual(loaded.Records[i].Payload));
        }
    }

    private async Task<List<RecordStream.Copy>> Whole(byte[] stream)
    {
        if (_stream == stream)
            return _records!;
        _records = (await RecordStream.LoadAsync(stream)).Records;
        _stream = stream;
        return _records;
    }
}
