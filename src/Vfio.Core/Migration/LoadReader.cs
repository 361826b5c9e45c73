using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Vfio.Core.Migration;

/// <summary>
/// What a resuming variant reads: the pipe's reader, which tells when the variant has looked at all that is there and asks for more.
/// </summary>
internal sealed class LoadReader(PipeReader pipe, ResumingSession session) : PipeReader
{
    private ReadOnlySequence<byte> _last;
    private int _waiting;

    public override bool TryRead(out ReadResult result)
    {
        if (!pipe.TryRead(out result))
            return false;
        _last = result.Buffer;
        return true;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        // One look and one decision, or a write that comes in between would be taken for looked at.
        lock (session.Gate)
        {
            if (TryRead(out var result))
                return ValueTask.FromResult(result);

            // The pipe would answer two reads at once by completing its writer under the user.
            if (Interlocked.Exchange(ref _waiting, 1) != 0)
                throw new InvalidOperationException("A read of the data stream is under way.");
            session.AskedForMore();
            return WaitAsync(pipe.ReadAsync(cancellationToken));
        }
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var count = _last.Slice(_last.Start, consumed).Length;
        _last = default;
        pipe.AdvanceTo(consumed, examined);
        session.Consumed(count);
    }

    public override void CancelPendingRead() => pipe.CancelPendingRead();

    // The end of a load is its return.
    public override void Complete(Exception? exception = null)
    {
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read)
    {
        try
        {
            var result = await read.ConfigureAwait(false);
            _last = result.Buffer;
            return result;
        }
        finally
        {
            Volatile.Write(ref _waiting, 0);
        }
    }
}
