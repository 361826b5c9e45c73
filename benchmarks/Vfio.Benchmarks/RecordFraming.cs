using System.IO.Pipelines;
using BenchmarkDotNet.Attributes;

namespace Vfio.Benchmarks;

/// <summary>64 MiB of state through a pipe, from one thread to another: as bytes, and as records that are checked.</summary>
public class RecordFraming
{
    private const int Size = 64 << 20, Chunk = MigrationRecord.DefaultPayloadLimit;
    private static readonly uint[] Tags = [1];
    private readonly byte[] _state = new byte[Size];
    private readonly PipeOptions _options = new(
        pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19, minimumSegmentSize: 1 << 16, useSynchronizationContext: false);

    /// <summary>Touches the state.</summary>
    [GlobalSetup]
    public void Fill() => new Random(1).NextBytes(_state);

    /// <summary>As bytes: copied in, and looked at by nobody.</summary>
    [Benchmark(Baseline = true)]
    public async Task<long> Bytes()
    {
        var pipe = new Pipe(_options);
        var writing = Task.Run(async () =>
        {
            for (var at = 0; at < Size; at += Chunk)
            {
                var part = _state.AsMemory(at, Math.Min(Chunk, Size - at));
                part.CopyTo(pipe.Writer.GetMemory(part.Length));
                pipe.Writer.Advance(part.Length);
                await pipe.Writer.FlushAsync();
            }

            await pipe.Writer.CompleteAsync();
        });
        var bytes = 0L;
        while (true)
        {
            var read = await pipe.Reader.ReadAsync();
            bytes += read.Buffer.Length;
            pipe.Reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                break;
        }

        await writing;
        return bytes;
    }

    /// <summary>As records.</summary>
    [Benchmark]
    public async Task<long> Records()
    {
        var pipe = new Pipe(_options);
        var writing = Task.Run(async () =>
        {
            var writer = new MigrationRecordWriter(pipe.Writer, new("benchmark", 1));
            await writer.WriteAsync(1, _state);
            await writer.EndAsync();
            await pipe.Writer.CompleteAsync();
        });
        var reader = new MigrationRecordReader(pipe.Reader, "benchmark", Tags);
        var bytes = 0L;
        VfioResult<bool> read;
        while ((read = await reader.ReadAsync()).Value)
            bytes += reader.Record.Payload.Length;
        await writing;
        return read.IsSuccess && bytes == Size ? bytes : throw new VfioException(read.Error, "the stream did not load");
    }
}
