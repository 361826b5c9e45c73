using System.IO.Pipelines;

namespace Vfio.Tool.Migration;

/// <summary>A connection between a source and a destination of this process: one of its ends.</summary>
internal sealed class LocalConnection : Stream
{
    private const int Most = 16 << 20;
    private readonly Stream _reader;
    private readonly Stream _writer;

    private LocalConnection(PipeReader reader, PipeWriter writer) => (_reader, _writer) = (reader.AsStream(), writer.AsStream());

    public static (Stream Source, Stream Destination) Create()
    {
        var options = new PipeOptions(
            pauseWriterThreshold: Most, resumeWriterThreshold: Most / 2, minimumSegmentSize: 256 << 10, useSynchronizationContext: false);
        Pipe there = new(options), back = new(options);
        return (new LocalConnection(back.Reader, there.Writer), new LocalConnection(there.Reader, back.Writer));
    }

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        => _reader.ReadAsync(buffer, cancellationToken);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        => _writer.WriteAsync(buffer, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => _writer.FlushAsync(cancellationToken);

    public override void Flush() => _writer.Flush();

    public override int Read(byte[] buffer, int offset, int count) => _reader.Read(buffer, offset, count);

    public override void Write(byte[] buffer, int offset, int count) => _writer.Write(buffer, offset, count);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _writer.Dispose();
            _reader.Dispose();
        }

        base.Dispose(disposing);
    }
}
