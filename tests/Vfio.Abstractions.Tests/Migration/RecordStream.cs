using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Vfio.Tests.Migration;

/// <summary>A stream of records as bytes: written, taken apart, put together otherwise, and loaded.</summary>
internal static class RecordStream
{
    public const string Name = "example";
    public const int Header = 16;
    public static readonly uint[] Tags = [0, 1, 0x100];

    public static byte[] Write(Func<MigrationRecordWriter, ValueTask> write, string name = Name, uint version = 1, int limit = 4096)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0, useSynchronizationContext: false));
        var writer = new MigrationRecordWriter(pipe.Writer, new(name, version), limit);
        write(writer).AsTask().GetAwaiter().GetResult();
        pipe.Writer.Complete();
        Assert.True(pipe.Reader.TryRead(out var all));
        return all.Buffer.ToArray();
    }

    /// <summary>A stream with every kind of record in it, and one that is split.</summary>
    public static byte[] Realistic(int size = 20_000, uint version = 1) => Write(
        async writer =>
        {
            var random = new Random(7);
            for (var i = 0; i < 12; i++)
            {
                var payload = new byte[random.Next(0, 200)];
                random.NextBytes(payload);
                Assert.True((await writer.WriteAsync((uint)(i % 2), payload)).IsSuccess);
                if (i % 4 == 0)
                    Assert.True((await writer.WriteAsync(0x8000u + (uint)i, payload, isOptional: true)).IsSuccess);
            }

            var state = new byte[size];
            random.NextBytes(state);
            Assert.True((await writer.WriteAsync(0x100, state)).IsSuccess);
            Assert.True((await writer.EndAsync()).IsSuccess);
        },
        version: version);

    /// <summary>The records of a stream, frames included.</summary>
    public static List<byte[]> Split(byte[] stream)
    {
        var records = new List<byte[]>();
        for (var at = 0; at < stream.Length;)
        {
            var size = Header + (int)BinaryPrimitives.ReadUInt64LittleEndian(stream.AsSpan(at));
            records.Add(stream[at..(at + size)]);
            at += size;
        }

        return records;
    }

    public static byte[] Join(IEnumerable<byte[]> records) => [.. records.SelectMany(record => record)];

    /// <summary>Loads a stream that arrives in pieces, each once the one before has been looked at.</summary>
    public static async Task<Loaded> LoadAsync(
        ReadOnlyMemory<byte> stream, int piece = int.MaxValue, string name = Name, int limit = 4096, uint[]? tags = null)
    {
        // The reader runs inside the flush, so that when it returns the reader has judged what there is, and asks for more or has ended.
        var pipe = new Pipe(new PipeOptions(readerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, useSynchronizationContext: false));
        var loading = DrainAsync(new MigrationRecordReader(pipe.Reader, name, tags ?? Tags, limit));
        var given = 0;
        while (given < stream.Length && !loading.IsCompleted)
        {
            var count = Math.Min(piece, stream.Length - given);
            stream.Span.Slice(given, count).CopyTo(pipe.Writer.GetSpan(count));
            pipe.Writer.Advance(count);
            given += count;
            await pipe.Writer.FlushAsync();
        }

        if (loading.IsCompleted && given < stream.Length)
            return await loading with { Given = given };
        await pipe.Writer.CompleteAsync();
        return await loading with { Given = given };
    }

    private static async Task<Loaded> DrainAsync(MigrationRecordReader reader)
    {
        var records = new List<Copy>();
        while (true)
        {
            var read = await reader.ReadAsync(TestContext.Current.CancellationToken);
            if (!read.IsSuccess || !read.Value)
                return new(read.Error, records, reader.Version, 0);
            var record = reader.Record;
            records.Add(new(record.Tag, record.IsOptional, record.Continues, record.Payload.ToArray()));
        }
    }

    /// <param name="Error">None: all of it, to its end.</param>
    /// <param name="Records">What was handed out.</param>
    /// <param name="Version">The layout's version.</param>
    /// <param name="Given">How many bytes had been given when that was known.</param>
    internal sealed record Loaded(Errno Error, List<Copy> Records, uint Version, int Given);

    internal sealed record Copy(uint Tag, bool IsOptional, bool Continues, byte[] Payload);
}
