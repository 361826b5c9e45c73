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
        var result = await read.ConfigureAwait(false);
        _last = result.Buffer;
        return result;
    }
}
