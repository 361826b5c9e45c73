using System.Threading.Channels;
using Vfio.Core.Orchestration.Container;

namespace Vfio.Core.Orchestration.Source;

/// <summary>
/// What the destination answers, read all the time: a refusal must be heard while the source is still sending, and what is sent is then
/// not read by anyone any more.
/// </summary>
internal sealed class DestinationReplies : IAsyncDisposable
{
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Channel<FrameKind> _replies = Channel.CreateBounded<FrameKind>(1);
    private readonly Task _reading;
    private Exception? _failure;

    public DestinationReplies(Stream stream) => _reading = ReadAsync(new(stream));

    /// <summary>Set when the destination has refused or has gone.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>What the destination said when it refused; null: it did not.</summary>
    public Refusal? Refused { get; private set; }

    public async Task ExpectAsync(FrameKind kind, CancellationToken cancellationToken)
    {
        FrameKind reply;
        try
        {
            reply = await _replies.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException e)
        {
            throw MigrationStepException.From(e.InnerException ?? e);
        }

        if (reply != kind)
            throw new MigrationStepException(Errno.EPROTO, $"the destination answers {reply} where {kind} is due");
    }

    /// <summary>
    /// What is behind a failure of the source: what the destination said, or its going. A connection that breaks under a write may have a
    /// refusal that is still to be read.
    /// </summary>
    public async Task<Exception> FailureBehindAsync(Exception e)
    {
        if (e is IOException)
            await _reading.WaitAsync(LastWord).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return Volatile.Read(ref _failure) ?? e;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
        _end.Dispose();
        _lost.Dispose();
    }

    private async Task ReadAsync(FrameReader reader)
    {
        await Task.Yield();
        try
        {
            while (true)
            {
                var frame = await reader.ReadAsync(_end.Token).ConfigureAwait(false)
                    ?? throw new MigrationStepException(Errno.EPIPE, "the destination has closed the connection");
                if (frame.Kind == FrameKind.Refused)
                {
                    Refused = Refusal.Read(frame.Payload.Span);
                    throw new MigrationStepException(Refused.Error, $"the destination refuses: {Refused.Reason}");
                }

                // A reply that nobody waits for yet may wait; a second one, nobody asked for.
                if (frame.Kind is not (FrameKind.Accepted or FrameKind.Loaded or FrameKind.Running)
                    || !_replies.Writer.TryWrite(frame.Kind))
                    throw new MigrationStepException(Errno.EPROTO, $"the destination speaks out of turn: {frame.Kind}");
                if (frame.Kind == FrameKind.Running)
                {
                    _replies.Writer.TryComplete();
                    return;
                }
            }
        }
        catch (Exception e)
        {
            Volatile.Write(ref _failure, e);
            _replies.Writer.TryComplete(e);
            await _lost.CancelAsync().ConfigureAwait(false);
        }
    }
}
