using Vfio.User.Requests;
using Vfio.User.Transport;

namespace Vfio.User.Client.Serving;

/// <summary>
/// Carries out the commands that come in between the replies, in their order, on a thread of its own: the memory that they ask for may be
/// somebody else's, who answers only when the reply behind them has been received. The thread starts with the first command.
/// </summary>
internal sealed class CommandThread(DmaService service, MessageSender sender, string name) : IDisposable
{
    private readonly object _lock = new();
    private readonly CommandQueue _queue = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isStarted;
    private bool _isEnding;

    /// <summary>Completes when, after <see cref="End"/>, nothing is carried out any more.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Takes the command that has been received.</summary>
    /// <returns>False: the server asks for more at once than can be kept.</returns>
    public bool TryTake(MessageReceiver receiver)
    {
        lock (_lock)
        {
            if (_isEnding)
                return true;
            if (_queue.IsFull)
                return false;
            _queue.Enqueue(receiver.Detach());
            Monitor.Pulse(_lock);
            if (!_isStarted)
            {
                _isStarted = true;
                new Thread(Run) { IsBackground = true, Name = $"vfio-user:dma:{name}" }.Start();
            }
        }

        return true;
    }

    /// <summary>Carries out no other command.</summary>
    public void End()
    {
        lock (_lock)
        {
            _isEnding = true;
            Monitor.Pulse(_lock);
            if (!_isStarted)
                _ended.TrySetResult();
        }
    }

    public void Dispose()
    {
        _queue.Dispose();
        service.Dispose();
    }

    private void Run()
    {
        while (Next() is { } message)
        {
            // What cannot be sent is found out by whoever receives.
            _ = service.Answer(message.Header, message.Body, message.Descriptors.Count, sender);
            message.Dispose();
        }

        _ended.TrySetResult();
    }

    private Message? Next()
    {
        lock (_lock)
        {
            while (_queue.Count == 0 && !_isEnding)
                Monitor.Wait(_lock);
            return _isEnding ? null : _queue.Dequeue();
        }
    }
}
