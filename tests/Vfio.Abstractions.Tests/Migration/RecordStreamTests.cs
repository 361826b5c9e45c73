using System.Buffers.Binary;
using System.IO.Pipelines;
using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Tests.Migration;

public sealed class RecordStreamTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void What_is_written_is_what_is_loaded_whatever_the_pieces_it_arrives_in()
    {
        var record = from tag in Gen.Elements(RecordStream.Tags)
                     from optional in Gen.Elements(true, false)
                     from length in Gen.Frequency((3, Gen.Choose(0, 64)), (1, Gen.Choose(0, 9000)))
                     from seed in Gen.Choose(0, int.MaxValue)
                     select (tag, optional, Bytes(length, seed));
        var run = from records in record.ListOf(12) from piece in Gen.Choose(1, 5000) select (records.ToList(), piece);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(100), Prop.ForAll(run.ToArbitrary(), r => RoundTrip(r.Item1, r.piece)));
    }

    [Fact]
    public async Task A_stream_arrives_byte_by_byte()
    {
        var stream = RecordStream.Realistic(5000, version: 3);
        var whole = await RecordStream.LoadAsync(stream);
        var loaded = await RecordStream.LoadAsync(stream, piece: 1);
        Assert.Equal(Errno.None, loaded.Error);
        Assert.Equal(3u, loaded.Version);
        Assert.Equal(whole.Records.Select(r => Convert.ToHexString(r.Payload)), loaded.Records.Select(r => Convert.ToHexString(r.Payload)));
    }

    [Fact]
    public async Task What_is_longer_than_the_limit_is_split_into_records_that_continue_each_other()
    {
        var state = Bytes(10_000, 1);
        var loaded = await RecordStream.LoadAsync(RecordStream.Write(async writer =>
        {
            await writer.WriteAsync(1, state, isOptional: true);
            await writer.EndAsync();
        }));
        Assert.Equal([(4096, true), (4096, true), (10_000 - 8192, false)], loaded.Records.Select(r => (r.Payload.Length, r.Continues)));
        Assert.All(loaded.Records, r => Assert.True(r is { Tag: 1, IsOptional: true }));
        Assert.Equal(state, loaded.Records.SelectMany(r => r.Payload));
    }

    [Fact]
    public async Task State_is_put_straight_into_the_pipe()
    {
        var stream = RecordStream.Write(async writer =>
        {
            writer.GetMemory(4096).Span[..100].Fill(5);
            await writer.CommitAsync(1, 100, continues: true);
            writer.GetMemory(50).Span.Fill(6);
            await writer.CommitAsync(1, 50);
            await writer.EndAsync();
        });
        var loaded = await RecordStream.LoadAsync(stream);
        Assert.Equal([(100, true), (50, false)], loaded.Records.Select(r => (r.Payload.Length, r.Continues)));
        Assert.All(loaded.Records[1].Payload, b => Assert.Equal(6, b));
    }

    [Fact]
    public async Task A_stream_may_hold_no_records()
        => Assert.Equal((Errno.None, 0), await Counted(RecordStream.Write(async writer => await writer.EndAsync())));

    [Fact]
    [Trait("Trap", "41")]
    public async Task A_later_version_loads_where_what_is_new_is_optional_and_its_payload_is_skipped()
    {
        var stream = RecordStream.Write(
            async writer =>
            {
                await writer.WriteAsync(1, Bytes(10, 1));
                // Longer than what the reader keeps of a record, and it looks like a record itself.
                await writer.WriteAsync(0x77, RecordStream.Realistic(), isOptional: true);
                await writer.WriteAsync(1, Bytes(20, 2));
                await writer.EndAsync();
            },
            version: 2,
            limit: 100_000);
        foreach (var piece in new[] { 1, 7, 100, int.MaxValue })
        {
            var loaded = await RecordStream.LoadAsync(stream, piece, limit: 20);
            Assert.Equal(Errno.None, loaded.Error);
            Assert.Equal(2u, loaded.Version);
            Assert.Equal([10, 20], loaded.Records.Select(r => r.Payload.Length));
        }
    }

    [Fact]
    [Trait("Trap", "41")]
    public async Task A_mandatory_record_that_is_not_known_is_refused_as_soon_as_its_header_is_there()
    {
        var stream = RecordStream.Write(
            async writer =>
            {
                await writer.WriteAsync(1, Bytes(10, 1));
                await writer.WriteAsync(0x77, Bytes(4000, 2));
                await writer.EndAsync();
            },
            version: 2);
        var before = RecordStream.Split(stream)[..2].Sum(r => r.Length);
        var loaded = await RecordStream.LoadAsync(stream, piece: 1);
        Assert.Equal(Errno.EOPNOTSUPP, loaded.Error);
        Assert.Equal(before + RecordStream.Header, loaded.Given);
    }

    [Fact]
    public async Task A_stream_of_another_device_is_refused()
    {
        Assert.Equal(Errno.EINVAL, (await RecordStream.LoadAsync(RecordStream.Realistic(), name: "another")).Error);
        Assert.Equal(Errno.EINVAL, (await RecordStream.LoadAsync(RecordStream.Realistic(), name: "exampl")).Error);
        Assert.Equal(Errno.EBADMSG, (await RecordStream.LoadAsync(new byte[100])).Error);
        Assert.Equal(Errno.EBADMSG, (await RecordStream.LoadAsync(Array.Empty<byte>())).Error);
    }

    [Theory]
    [Trait("Trap", "41")]
    [InlineData(1ul << 63, Errno.ENOMEM)]
    [InlineData(ulong.MaxValue, Errno.ENOMEM)]
    [InlineData(1ul << 32, Errno.ENOMEM)]
    [InlineData(uint.MaxValue, Errno.ENOMEM)]
    [InlineData(4096 + 8 + 1, Errno.ENOMEM)]
    [InlineData(7, Errno.EBADMSG)]
    [InlineData(0, Errno.EBADMSG)]
    public async Task A_size_is_checked_before_anything_is_kept_by_it(ulong size, Errno expected)
    {
        var records = RecordStream.Split(RecordStream.Realistic());
        BinaryPrimitives.WriteUInt64LittleEndian(records[1], size);
        var loaded = await RecordStream.LoadAsync(RecordStream.Join(records), piece: 1);
        Assert.Equal(expected, loaded.Error);
        Assert.Equal(records[0].Length + RecordStream.Header, loaded.Given);
    }

    [Fact]
    public async Task A_record_of_the_limit_is_loaded()
    {
        var stream = RecordStream.Write(async writer =>
        {
            await writer.WriteAsync(1, Bytes(4096, 1));
            await writer.EndAsync();
        });
        Assert.Equal((Errno.None, 1), await Counted(stream));
        Assert.Equal(Errno.ENOMEM, (await RecordStream.LoadAsync(stream, limit: 4095)).Error);
    }

    [Fact]
    public async Task A_writer_waits_for_its_reader_and_hears_that_nobody_reads()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 8192, resumeWriterThreshold: 4096, useSynchronizationContext: false));
        var writer = new MigrationRecordWriter(pipe.Writer, new(RecordStream.Name, 1));
        var first = writer.WriteAsync(1, new byte[100], cancellationToken: Cancellation).AsTask();
        Assert.True(first.IsCompletedSuccessfully);
        var writing = writer.WriteAsync(1, new byte[10_000], cancellationToken: Cancellation).AsTask();
        Assert.False(writing.IsCompleted);
        await pipe.Reader.CompleteAsync();
        Assert.Equal(Errno.ENODEV, (await writing).Error);
        Assert.Equal(Errno.ENODEV, (await writer.EndAsync(Cancellation)).Error);
    }

    [Fact]
    public async Task A_record_larger_than_the_pipe_takes_is_read_all_the_same()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1024, resumeWriterThreshold: 512, useSynchronizationContext: false));
        var state = Bytes(1 << 20, 3);
        var writing = Task.Run(
            async () =>
            {
                var writer = new MigrationRecordWriter(pipe.Writer, new(RecordStream.Name, 1));
                await writer.WriteAsync(1, state);
                await writer.EndAsync();
                await pipe.Writer.CompleteAsync();
            },
            Cancellation);
        var reader = new MigrationRecordReader(pipe.Reader, RecordStream.Name, [1u]);
        var read = new List<byte>();
        while ((await reader.ReadAsync(Cancellation)).Value)
        {
            foreach (var part in reader.Record.Payload)
                read.AddRange(part.Span);
        }

        await writing;
        Assert.True(state.AsSpan().SequenceEqual(read.ToArray()));
    }

    [Fact]
    public async Task Records_that_are_there_are_written_and_read_without_waiting_or_allocating()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0, useSynchronizationContext: false));
        var writer = new MigrationRecordWriter(pipe.Writer, new(RecordStream.Name, 1));
        var reader = new MigrationRecordReader(pipe.Reader, RecordStream.Name, [1u]);
        var payload = new byte[100];
        var allocated = 0L;
        for (var i = 0; i < 200; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var written = writer.WriteAsync(1, payload, cancellationToken: Cancellation);
            var read = reader.ReadAsync(Cancellation);
            var isThere = written.IsCompletedSuccessfully && read.IsCompletedSuccessfully;
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(isThere);
            Assert.True((await written).IsSuccess && (await read).Value);
        }

        Assert.Equal(0, allocated);
    }

    [Fact]
    public async Task What_makes_no_stream_is_a_fault_of_the_plugin()
    {
        var pipe = new Pipe();
        var writer = new MigrationRecordWriter(pipe.Writer, new(RecordStream.Name, 1), 100);
        Assert.Throws<ArgumentException>(() => new MigrationRecordWriter(pipe.Writer, new("", 1)));
        Assert.Throws<ArgumentException>(() => new MigrationRecordWriter(pipe.Writer, new(new string('x', 65), 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.GetMemory(101));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await writer.WriteAsync(MigrationRecord.FirstReservedTag, new byte[1], cancellationToken: Cancellation));
        writer.GetMemory(10);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.CommitAsync(1, 11, cancellationToken: Cancellation));
        writer.GetMemory(10);
        await writer.CommitAsync(1, 10, continues: true, cancellationToken: Cancellation);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.EndAsync(Cancellation));
        await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await writer.WriteAsync(2, new byte[1], cancellationToken: Cancellation));
        await writer.WriteAsync(1, new byte[1], cancellationToken: Cancellation);
        await writer.EndAsync(Cancellation);
        Assert.Throws<InvalidOperationException>(() => writer.GetMemory(1));
    }

    private static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static async Task<(Errno Error, int Count)> Counted(byte[] stream)
    {
        var loaded = await RecordStream.LoadAsync(stream);
        return (loaded.Error, loaded.Records.Count);
    }

    private static void RoundTrip(List<(uint Tag, bool Optional, byte[] Payload)> records, int piece)
    {
        var stream = RecordStream.Write(async writer =>
        {
            foreach (var (tag, optional, payload) in records)
                Assert.True((await writer.WriteAsync(tag, payload, optional)).IsSuccess);
            Assert.True((await writer.EndAsync()).IsSuccess);
        });
        var loaded = RecordStream.LoadAsync(stream, piece).GetAwaiter().GetResult();
        Assert.Equal(Errno.None, loaded.Error);
        var at = 0;
        foreach (var (tag, optional, payload) in records)
        {
            var read = new List<byte>();
            bool continues;
            do
            {
                var part = loaded.Records[at++];
                Assert.Equal((tag, optional), (part.Tag, part.IsOptional));
                read.AddRange(part.Payload);
                continues = part.Continues;
            }
            while (continues);
            Assert.Equal(payload, read);
        }

        Assert.Equal(loaded.Records.Count, at);
    }

    [Fact]
    public async Task A_payload_that_was_given_up_between_two_of_its_records_cannot_be_continued_by_another()
    {
        // Otherwise the reader would be handed the beginning of the one and the whole of the other as one payload, with every sum right.
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 4096, resumeWriterThreshold: 1, useSynchronizationContext: false));
        var writer = new MigrationRecordWriter(pipe.Writer, new("example", 1), payloadLimit: 1024);
        using var cancelling = new CancellationTokenSource();
        var saving = writer.WriteAsync(1, new byte[16384], cancellationToken: cancelling.Token).AsTask();
        Assert.False(saving.IsCompleted);
        await cancelling.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => saving);
        Assert.Throws<InvalidOperationException>(() => writer.GetMemory(1));
        await Assert.ThrowsAsync<InvalidOperationException>(() => writer.EndAsync(TestContext.Current.CancellationToken).AsTask());
    }

    [Fact]
    public async Task A_record_that_was_refused_leaves_the_stream_as_it_was()
    {
        var cancelled = TestContext.Current.CancellationToken;
        var stream = RecordStream.Write(async writer =>
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => writer.CommitAsync(1, 8, continues: true, cancellationToken: cancelled).AsTask());
            writer.GetMemory(4);
            await Assert.ThrowsAsync<InvalidOperationException>(() => writer.CommitAsync(1, 5, continues: true, cancellationToken: cancelled).AsTask());
            await Assert.ThrowsAnyAsync<ArgumentException>(() => writer.CommitAsync(1, int.MaxValue, continues: true, cancellationToken: cancelled).AsTask());
            Assert.True((await writer.WriteAsync(0, new byte[] { 1 }, cancellationToken: cancelled)).IsSuccess);
            Assert.True((await writer.EndAsync(cancelled)).IsSuccess);
        });
        var loaded = await RecordStream.LoadAsync(stream);
        Assert.Equal(Errno.None, loaded.Error);
        Assert.Equal([0u], loaded.Records.Select(record => record.Tag));
    }
}
