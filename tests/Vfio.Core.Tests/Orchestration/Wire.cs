using System.IO.Pipelines;

namespace Vfio.Core.Tests.Orchestration;

/// <summary>A connection in memory that can be cut after so many bytes of either direction.</summary>
internal sealed class Wire
{
    private readonly Pipe _there = new();
    private readonly Pipe _back = new();

    public Wire(long cutThere = long.MaxValue, long cutBack = long.MaxValue)
    {
        Source = new End(this, _back.Reader, _there.Writer, cutThere);
        Destination = new End(this, _there.Reader, _back.Writer, cutBack);
    }

    public End Source { get; }

    public End Destination { get; }

    public bool IsCut { get; private set; }

    private void Cut()
    {
        IsCut = true;
        _there.Writer.Complete();
        _back.Writer.Complete();
    }

    internal sealed class End(Wire wire, PipeReader reader, PipeWriter writer, long left) : Stream
    {
        private long _left = left;

        public long Written { get; private set; }

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var result = await reader.ReadAsync(cancellationToken);
            var count = (int)Math.Min(buffer.Length, result.Buffer.Length);
            var taken = result.Buffer.Slice(0, count);
            var at = buffer.Span;
            foreach (var segment in taken)
            {
                segment.Span.CopyTo(at);
                at = at[segment.Length..];
            }

            reader.AdvanceTo(taken.End);
            return count;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (wire.IsCut)
                throw new IOException("the wire is cut");
            var count = (int)Math.Min(buffer.Length, _left);
            await writer.WriteAsync(buffer[..count], CancellationToken.None);
            _left -= count;
            Written += count;
            if (count == buffer.Length)
                return;
            wire.Cut();
            throw new IOException("the wire is cut");
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                wire.Cut();
            base.Dispose(disposing);
        }
    }
}
