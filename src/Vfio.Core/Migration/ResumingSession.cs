using System.Buffers;
using System.IO.Pipelines;

namespace Vfio.Core.Migration;

/// <summary>
/// A session that resumes: what the user writes goes through one pipe to the variant's load. A write returns when the load has looked at
/// all of it and waits for more, so that the write that brought a wrong byte is the one that is refused.
/// </summary>
/// <remarks>
/// The pipe's own back-pressure ends a flush when the bytes have been examined, which a reader may say before it has judged them; that it
/// asks for more says that it has.
/// </remarks>
internal sealed class ResumingSession : DataSession
{
    // What is in the pipe at a time, so that a large write costs no memory.
    private const int MostAtOnce = 1 << 20;

    private readonly Pipe _pipe;
    private readonly LoadReader _reader;
    private TaskCompletionSource? _asked;
    private Task _load = Task.CompletedTask;
    private bool _writing;
    private bool _allWritten;
    private bool _loaded;
    private Errno _refused;
    private long _written;
    private long _consumed;

    public ResumingSession(MigrationService service, VariantCalls variant, PipeOptions options)
        : base(service, variant)
    {
        _pipe = new(options);
        _reader = new(_pipe.Reader, this);
    }

    public override PipeWriter? Saving => null;

    public override PipeReader Resuming => _reader;

    public override MigrationDataStream Stream => new ResumingStream(this);

    public override Task Completion => _load;

    public override void Reached(MigrationState state)
    {
        if (state == MigrationState.Resuming && !IsOver)
            _load = LoadAsync();
    }

    /// <summary>Why the data was refused; it stays refused.</summary>
    public Errno Refused
    {
        get
        {
            lock (Gate)
                return _refused;
        }
    }

    /// <summary>The user has written all.</summary>
    /// <returns>Completes with the load, whose verdict is <see cref="Refused"/>.</returns>
    public Task Finish()
    {
        lock (Gate)
        {
            if (!_allWritten && !_writing)
                _pipe.Writer.Complete();
            _allWritten = true;
            return _load;
        }
    }

    /// <inheritdoc cref="MigrationDataStream.WriteAsync"/>
    public async ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        var error = Enter();
        if (error != Errno.None)
            return error;
        try
        {
            while (!source.IsEmpty)
            {
                var part = source[..Math.Min(source.Length, MostAtOnce)];
                source = source[part.Length..];
                _pipe.Writer.Write(part.Span);
                if (Offer(part.Length) is { } asked)
                    await asked.WaitAsync(cancellationToken).ConfigureAwait(false);
                if (Verdict() is var verdict && verdict != Errno.None)
                    return verdict;
            }

            return VfioResult.Success;
        }
        catch (OperationCanceledException)
        {
            // How much of it has arrived, nobody knows any more.
            lock (Gate)
                Refuse(Errno.ECANCELED);
            throw;
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>The load has looked at all that is there. Called with the gate held.</summary>
    public void AskedForMore()
    {
        _asked?.TrySetResult();
        _asked = null;
    }

    /// <summary>The load has done with bytes.</summary>
    public void Consumed(long bytes)
    {
        lock (Gate)
            _consumed += bytes;
    }

    protected override void OnEnded()
    {
        // With an exception: no variant must take this for the end of the data, and load what is there.
        if (!_writing)
            _pipe.Writer.Complete(new OperationCanceledException(Ended));
        AskedForMore();
    }

    private async Task LoadAsync()
    {
        // The variant's code never runs on the thread that has the device's state.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var result = await Variant.LoadAsync(this).ConfigureAwait(false);
        lock (Gate)
        {
            _loaded = true;
            if (!result.IsSuccess)
                Refuse(result.Error);
            else if (_consumed != _written)
                Refuse(Errno.EINVAL);
            _pipe.Reader.Complete();
            AskedForMore();
        }
    }

    private Errno Enter()
    {
        lock (Gate)
        {
            var error = IsOver ? Errno.ENODEV : _refused;
            if (error == Errno.None && _allWritten)
                error = Errno.EINVAL;
            if (error == Errno.None && _writing)
                error = Errno.EBUSY;
            if (error == Errno.None)
                _writing = true;
            return error;
        }
    }

    private Task? Offer(int count)
    {
        lock (Gate)
        {
            _written += count;
            if (_loaded && !IsOver)
                Refuse(Errno.EINVAL);
            if (_loaded || IsOver)
                return null;
            var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _asked = asked;

            // Without a threshold a flush completes at once.
            _ = _pipe.Writer.FlushAsync(CancellationToken.None).AsTask();
            return asked.Task;
        }
    }

    private Errno Verdict()
    {
        lock (Gate)
            return IsOver ? Errno.ENODEV : _refused;
    }

    private void Refuse(Errno error)
    {
        if (_refused == Errno.None)
            _refused = error;
    }

    private void Leave()
    {
        lock (Gate)
        {
            _writing = false;
            if (IsOver)
                _pipe.Writer.Complete(new OperationCanceledException(Ended));
            else if (_allWritten)
                _pipe.Writer.Complete();
        }
    }
}
