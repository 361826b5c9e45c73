using System.IO.Pipelines;

namespace Vfio.Core.Migration;

/// <summary>A session that saves: the variant's saves, one after the other, into one pipe, which the user reads.</summary>
internal sealed partial class SavingSession : DataSession
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
            var total = Add(Add(unread, unwritten.InitialBytes), unwritten.DirtyBytes);
            var isNew = unwritten.HasNewInitial && tellsNewInitial;

            // To who has not asked for them, new initial bytes are dirty ones. To who has, all that comes before them is initial too.
            var initial = Add(unwritten.HasNewInitial && !isNew ? 0 : unwritten.InitialBytes, _isInitial || isNew ? unread : 0);

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
        VfioResult result = Ended.IsCancellationRequested ? Errno.ENODEV : _error;

        // Behind a save that failed there is a hole.
        if (result.IsSuccess)
            result = await Variant.SaveAsync(this, phase, _writer).ConfigureAwait(false);
        lock (Gate)
        {
            _queued--;
            _stopCopyEnded = phase == MigrationState.StopCopy;
            _error = result.Error;
        }

        _pipe.Reader.CancelPendingRead();
    }

    // The variant's numbers may be any.
    private static ulong Add(ulong a, ulong b) => a > ulong.MaxValue - b ? ulong.MaxValue : a + b;
}
