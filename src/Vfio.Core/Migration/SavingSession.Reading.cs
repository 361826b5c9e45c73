using System.Buffers;
using System.Runtime.CompilerServices;

namespace Vfio.Core.Migration;

// The user's side: reads, and where they end.
internal sealed partial class SavingSession
{
    private bool _reading;

    private enum Next
    {
        Answer,
        Wait,
        TellEnd,
        SaveMore,
    }

    /// <inheritdoc cref="MigrationDataStream.ReadAsync"/>
    public ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        lock (Gate)
        {
            if (IsOver)
                return ValueTask.FromResult<VfioResult<int>>(Errno.ENODEV);
            if (_reading)
                return ValueTask.FromResult<VfioResult<int>>(Errno.EBUSY);
            _reading = true;
        }

        var count = Take(destination.Span);
        if (count == 0)
            return WaitAsync(destination, cancellationToken);
        Leave();
        return ValueTask.FromResult<VfioResult<int>>(count);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<VfioResult<int>> WaitAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                // Before the look into the pipe: a save writes first, and ends then.
                var next = Look(out var answer);
                var count = Take(destination.Span);
                if (count > 0)
                    return count;
                switch (next)
                {
                    case Next.Answer:
                        return answer;
                    case Next.TellEnd when TryTellEnd():
                        return Errno.ENOMSG;
                    case Next.SaveMore:
                        var more = await Service.SaveMoreAsync(this, cancellationToken).ConfigureAwait(false);
                        if (!more.IsSuccess)
                            return more.Error;
                        break;
                    case Next.Wait:
                        var result = await _pipe.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                        _pipe.Reader.AdvanceTo(result.Buffer.Start);
                        break;
                }
            }
        }
        finally
        {
            Leave();
        }
    }

    private Next Look(out VfioResult<int> answer)
    {
        lock (Gate)
        {
            answer = IsOver ? Errno.ENODEV : _error != Errno.None ? _error : 0;
            if (IsOver)
                return Next.Answer;
            if (_queued > 0)
                return Next.Wait;
            if (_error != Errno.None || _stopCopyEnded)
                return Next.Answer;
            return _endTold ? Next.SaveMore : Next.TellEnd;
        }
    }

    // Once for each save: the next read may begin another. Not if the device has gone to STOP_COPY meanwhile.
    private bool TryTellEnd()
    {
        lock (Gate)
        {
            if (IsOver || _queued > 0 || _stopCopyEnded)
                return false;
            return _endTold = true;
        }
    }

    private int Take(Span<byte> destination)
    {
        if (!_pipe.Reader.TryRead(out var result))
            return 0;

        // All that is asked of the buffer is asked before it is given back.
        var count = (int)Math.Min(result.Buffer.Length, destination.Length);
        var buffer = result.Buffer.Slice(0, count);
        buffer.CopyTo(destination);
        Interlocked.Add(ref _read, count);
        _pipe.Reader.AdvanceTo(buffer.End);
        return count;
    }

    private void Leave()
    {
        lock (Gate)
        {
            _reading = false;
            if (IsOver)
                _pipe.Reader.Complete();
        }
    }
}
