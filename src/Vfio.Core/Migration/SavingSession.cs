using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Vfio.Core.Migration;

/// <summary>A session that saves: the variant's saves, one after the other, into one pipe, which the user reads.</summary>
internal sealed class SavingSession : DataSession
{
    private readonly Pipe _pipe;
    private readonly SaveWriter _writer;
    private Task _saves = Task.CompletedTask;
    private Task _completion = Task.CompletedTask;
    private int _queued;
    private bool _begun;
    private bool _stopCopyEnded;
    private bool _endTold;
    private bool _isInitial;
    private bool _reading;
    private Errno _error;
    private long _written;
    private long _read;
    private ulong _initialLeft = ulong.MaxValue;

    public SavingSession(MigrationService service, VariantCalls variant, PipeOptions options)
        : base(service, variant)
    {
        _pipe = new(options);
        _writer = new(_pipe.Writer, this);
    }

    private enum Next
    {
        Answer,
        Wait,
        TellEnd,
        SaveMore,
    }

    public override PipeWriter Saving => _writer;

    public override PipeReader? Resuming => null;

    public override MigrationDataStream Stream => new SavingStream(this);

    public override Task Completion => _completion;

    /// <inheritdoc cref="MigrationDataStream.GetPrecopyInfoAsync"/>
    public ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken)
        => Service.GetPrecopyInfoAsync(this, cancellationToken);

    /// <summary>Adds what is written and not read to what the variant has still to write.</summary>
    /// <param name="unwritten">What the variant says.</param>
    /// <param name="tellsNewInitial">Whether the user has asked for the second version.</param>
    public PrecopyInfo Count(PrecopyInfo unwritten, bool tellsNewInitial)
    {
        lock (Gate)
        {
            var unread = (ulong)(Interlocked.Read(ref _written) - Interlocked.Read(ref _read));
            var total = unread + unwritten.InitialBytes + unwritten.DirtyBytes;
            var isNew = unwritten.HasNewInitial && tellsNewInitial;

            // To who has not asked for them, new initial bytes are dirty ones. To who has, all that comes before them is initial too.
            var initial = (unwritten.HasNewInitial && !isNew ? 0 : unwritten.InitialBytes) + (_isInitial || isNew ? unread : 0);

            // It counts down, but for new ones.
            _initialLeft = isNew ? initial : Math.Min(_initialLeft, initial);
            return new(_initialLeft, total - _initialLeft, isNew);
        }
    }

    public override void Reached(MigrationState state)
    {
        if (state == MigrationState.StopCopy)
            Save(MigrationState.StopCopy, isInitial: false);
        else if (!_begun)
            Save(MigrationState.PreCopy, isInitial: true);
    }

    /// <summary>Queues a save. Called with the device's state held, so that it is clear what is to be saved.</summary>
    /// <param name="phase">PRE_COPY or STOP_COPY.</param>
    /// <param name="isInitial">Whether what it writes counts as initial bytes until it is read.</param>
    public void Save(MigrationState phase, bool isInitial)
    {
        lock (Gate)
        {
            if (IsOver)
                return;
            _begun = true;
            _queued++;
            _endTold = false;
            _isInitial = isInitial;
            _saves = SaveAsync(_saves, phase);
        }
    }

    /// <summary>The variant has written bytes; told before a reader can see them.</summary>
    public void Written(long bytes) => Interlocked.Add(ref _written, bytes);

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

    protected override void OnEnded()
    {
        if (_reading)
            _pipe.Reader.CancelPendingRead();
        else
            _pipe.Reader.Complete();
        _completion = CompleteAsync(_saves);
    }

    private async Task CompleteAsync(Task saves)
    {
        await saves.ConfigureAwait(false);
        await _pipe.Writer.CompleteAsync().ConfigureAwait(false);
    }

    private async Task SaveAsync(Task earlier, MigrationState phase)
    {
        // The variant's code never runs on the thread that has the device's state, and one save waits for the other.
        await earlier.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var result = _error != Errno.None ? _error : Ended.IsCancellationRequested ? Errno.ENODEV : await Variant.SaveAsync(this, phase).ConfigureAwait(false);
        if (result.IsSuccess && _writer.UnflushedBytes > 0)
            result = await FlushAsync().ConfigureAwait(false);
        lock (Gate)
        {
            _queued--;
            _stopCopyEnded = phase == MigrationState.StopCopy;
            _error = result.Error;
        }

        _pipe.Reader.CancelPendingRead();
    }

    // A save that returns without a last flush has saved all the same.
    private async ValueTask<VfioResult> FlushAsync()
    {
        try
        {
            await _writer.FlushAsync(Ended).ConfigureAwait(false);
            return VfioResult.Success;
        }
        catch (OperationCanceledException)
        {
            return Errno.ECANCELED;
        }
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
