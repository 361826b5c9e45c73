using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Vfio.Core.Tests.Variants;

// The data stream of docs/hooks.md.
public sealed class RecordExampleTests
{
    [Fact]
    public async Task What_the_example_saves_it_loads()
    {
        var pipe = new Pipe();
        var cancellation = TestContext.Current.CancellationToken;
        var state = new byte[1_000_000];
        new Random(3).NextBytes(state);
        var saving = Recorded.SaveAsync(pipe.Writer, queues: 7, state, cancellation).AsTask();
        var loaded = new Recorded();
        var loading = loaded.LoadAsync(pipe.Reader, cancellation).AsTask();
        Assert.True((await saving).IsSuccess);
        await pipe.Writer.CompleteAsync();
        Assert.True((await loading).IsSuccess);
        Assert.Equal(7, loaded.Queues);
        Assert.True(state.AsSpan().SequenceEqual(loaded.Memory.WrittenSpan));
    }

    private sealed class Recorded
    {
        private const uint QueueCount = 0, DeviceMemory = 1, Statistics = 2;

        public int Queues { get; private set; }

        public ArrayBufferWriter<byte> Memory { get; } = new();

        public static async ValueTask<VfioResult> SaveAsync(
            PipeWriter saving, int queues, ReadOnlyMemory<byte> memory, CancellationToken cancellationToken)
        {
            var writer = new MigrationRecordWriter(saving, new("example", Version: 1));
            var count = new byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(count, queues);
            await writer.WriteAsync(QueueCount, count, cancellationToken: cancellationToken);
            await writer.WriteAsync(Statistics, count, isOptional: true, cancellationToken);
            await writer.WriteAsync(DeviceMemory, memory, cancellationToken: cancellationToken);
            return await writer.EndAsync(cancellationToken);
        }

        public async ValueTask<VfioResult> LoadAsync(PipeReader resuming, CancellationToken cancellationToken)
        {
            var reader = new MigrationRecordReader(resuming, "example", [QueueCount, DeviceMemory]);
            VfioResult<bool> read;
            while ((read = await reader.ReadAsync(cancellationToken)) is { IsSuccess: true, Value: true })
            {
                var payload = reader.Record.Payload;
                switch (reader.Record.Tag)
                {
                    case QueueCount when payload.Length == sizeof(int):
                        Queues = BinaryPrimitives.ReadInt32LittleEndian(payload.ToArray());
                        break;
                    case DeviceMemory:
                        foreach (var part in payload)
                            Memory.Write(part.Span);
                        break;
                    default:
                        return Errno.EINVAL;
                }
            }

            return read;
        }
    }
}
