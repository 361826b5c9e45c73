using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Vfio.Core.Tests.Migration;

/// <summary>The framing's trap; what else there is to it is proven beside it, in Vfio.Abstractions.Tests.</summary>
public sealed class RecordTests
{
    [Theory]
    [Trait("Trap", "41")]
    [InlineData(false, Errno.None)]
    [InlineData(true, Errno.ENOMEM)]
    public async Task A_size_is_not_trusted_and_a_skipped_payload_is_consumed(bool lies, Errno expected)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var writer = new MigrationRecordWriter(pipe.Writer, new("example", 2));
        var cancellation = TestContext.Current.CancellationToken;
        // What is skipped would pass for a record itself.
        var skipped = new byte[64];
        BinaryPrimitives.WriteUInt64LittleEndian(skipped, 8);
        await writer.WriteAsync(7, skipped, isOptional: true, cancellation);
        await writer.WriteAsync(1, new byte[] { 42 }, cancellationToken: cancellation);
        await writer.EndAsync(cancellation);
        Assert.True(pipe.Reader.TryRead(out var written));
        var stream = written.Buffer.ToArray();
        if (lies)
            BinaryPrimitives.WriteUInt64LittleEndian(stream.AsSpan(16 + (int)BinaryPrimitives.ReadUInt64LittleEndian(stream)), 1ul << 63);

        var reader = new MigrationRecordReader(PipeReader.Create(new ReadOnlySequence<byte>(stream)), "example", [1u]);
        var read = await reader.ReadAsync(cancellation);
        Assert.Equal(expected, read.Error);
        if (lies)
            return;
        Assert.Equal((1u, 42), (reader.Record.Tag, reader.Record.Payload.FirstSpan[0]));
        Assert.False((await reader.ReadAsync(cancellation)).Value);
    }
}
