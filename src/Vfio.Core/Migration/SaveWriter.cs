using System.IO.Pipelines;

namespace Vfio.Core.Migration;

/// <summary>
/// What a saving variant writes to: the pipe's writer, which it cannot complete (another save may follow), and which gives up once the
/// session is over.
/// </summary>
internal sealed class SaveWriter(PipeWriter pipe, SavingSession session) : PipeWriter
{
    // A variant may hand over all that it has in one call; the reader must not find it all in memory.
    private const int MostAtOnce = 1 << 20;
    private long _unflushed;
    private int _flushing;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _unflushed;

    public override Memory<byte> GetMemory(int sizeHint = 0) => pipe.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => pipe.GetSpan(sizeHint);

    public override void Advance(int bytes)
    {
        pipe.Advance(bytes);
        _unflushed += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (session.Ended.IsCancellationRequested)
            return ValueTask.FromCanceled<FlushResult>(session.Ended);

        // The pipe would keep the bytes back and give them with the next flush, which must then still be owed.
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<FlushResult>(cancellationToken);

        // The pipe would answer two flushes at once by completing its reader under the user.
        if (Interlocked.Exchange(ref _flushing, 1) != 0)
            throw new InvalidOperationException("A flush of the data stream is under way.");
        session.Written(_unflushed);
        _unflushed = 0;
        var flush = pipe.FlushAsync(cancellationToken);
        if (!flush.IsCompletedSuccessfully)
            return WaitAsync(flush);
        Volatile.Write(ref _flushing, 0);
        var result = flush.Result;
        return result.IsCompleted ? ValueTask.FromCanceled<FlushResult>(session.Ended) : ValueTask.FromResult(result);
    }

    public override async ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var part = source[..Math.Min(source.Length, MostAtOnce)];
            System.Buffers.BuffersExtensions.Write(this, part.Span);
            source = source[part.Length..];
            FlushResult result;
            try
            {
                result = await FlushAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!session.Ended.IsCancellationRequested)
            {
                System.Buffers.BuffersExtensions.Write(this, source.Span);
                throw;
            }

            // Who waits no longer has written all the same: of any pipe a write takes all of it first.
            if (result.IsCanceled)
                System.Buffers.BuffersExtensions.Write(this, source.Span);
            if (result.IsCanceled || source.IsEmpty)
                return result;
        }
    }

    public override void CancelPendingFlush() => pipe.CancelPendingFlush();

    // The end of a save is its return; the pipe is completed with the session.
    public override void Complete(Exception? exception = null)
    {
    }

    private async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flush)
    {
        try
        {
            var result = await flush.ConfigureAwait(false);
            return result.IsCompleted ? throw new OperationCanceledException(session.Ended) : result;
        }
        finally
        {
            Volatile.Write(ref _flushing, 0);
        }
    }
}
