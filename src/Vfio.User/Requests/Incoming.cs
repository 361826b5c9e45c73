using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Requests;

/// <summary>
/// What comes in on one socket. At any time at most one thread receives: the connection's own, which waits for the next command, or one
/// that waits for the reply to a request of its own. It hands replies to whoever waits for them, and queues commands for the connection's
/// thread. Thread-safe.
/// </summary>
/// <remarks>
/// So a reply is received even while the connection's thread is inside the device, which may be waiting for the very thread that waits for
/// the reply.
/// </remarks>
internal sealed class Incoming : IDisposable
{
    private const long Never = long.MaxValue;
    private static readonly TimeSpan QueueTimeout = TimeSpan.FromSeconds(4);
    private readonly object _lock = new();
    private readonly MessageChannel _channel;
    private readonly CommandQueue _queue = new();
    private readonly WakeEvent _wake = new();
    private readonly PumpWait _pumpWait;
    private readonly TimeProvider _time;
    private readonly bool _takesCommands;
    private int _receiving;
    private int _waiting;
    private volatile int _queued;
    private volatile bool _ended;
    private ReceiveStatus _end;

    /// <summary>Creates it.</summary>
    /// <param name="channel">The socket.</param>
    /// <param name="takesCommands">False for a twin socket, on which the client only answers.</param>
    /// <param name="time">The clock that messages are stamped with.</param>
    public Incoming(MessageChannel channel, bool takesCommands, TimeProvider time)
    {
        _channel = channel;
        _takesCommands = takesCommands;
        _time = time;
        _pumpWait = new PumpWait(channel.Socket, _wake);
    }

    /// <summary>Whose replies come in here; null as long as nothing can be asked.</summary>
    public ClientRequests? Requests { get; set; }

    /// <summary>Waits for the next command: for the connection's thread.</summary>
    /// <param name="message">Receives it; what was inside is given up.</param>
    /// <param name="wait">How to wait for the socket; null to block.</param>
    public ReceiveStatus Next(ref Message message, ReceiveWait? wait)
    {
        while (true)
        {
            if (_queued != 0)
            {
                TakeQueued(ref message);
                return ReceiveStatus.Message;
            }

            if (_ended)
            {
                message.Header = _channel.Receiver.Header;
                return _end;
            }

            if (TryBeginReceiving())
            {
                try
                {
                    // Somebody may have received something between the look above and now.
                    if (_queued == 0 && !_ended)
                        return ReceiveCommand(message, wait);
                }
                finally
                {
                    EndReceiving();
                }
            }
            else
            {
                WaitUntil(static (incoming, _) => incoming.IsFree || incoming._queued != 0 || incoming._ended, null, Never);
            }
        }
    }

    /// <summary>Waits until a transfer is done, receiving if nobody else does.</summary>
    /// <param name="transfer">The transfer.</param>
    /// <param name="timeout">How long; null for as long as it takes, for a thread that is not the connection's.</param>
    /// <returns>
    /// What came of it. ETIMEDOUT: no reply. ENOBUFS: the client sends commands in place of its reply, more than can be kept.
    /// </returns>
    public Errno WaitFor(Transfer transfer, TimeSpan? timeout)
    {
        var deadline = timeout is null || timeout == Timeout.InfiniteTimeSpan ? Never : After(timeout.Value);
        while (!transfer.IsDone)
        {
            if (_ended)
                return Errno.ENOTCONN;
            if (Environment.TickCount64 >= deadline)
                return Errno.ETIMEDOUT;
            if (_queued != 0 && IsFull())
            {
                // The connection's thread is the one that would have to empty the queue; others wait for that, but not for ever: it may
                // wait for them.
                if (timeout is not null
                    || !WaitUntil(static (incoming, waiter) => waiter!.IsDone || !incoming._queue.IsFull, transfer, After(QueueTimeout)))
                {
                    return Errno.ENOBUFS;
                }
            }
            else if (TryBeginReceiving())
            {
                try
                {
                    Pump(transfer, deadline);
                }
                finally
                {
                    EndReceiving();
                }
            }
            else
            {
                WaitUntil(static (incoming, waiter) => waiter!.IsDone || incoming.IsFree, transfer, deadline);
            }
        }

        return transfer.Error;
    }

    /// <summary>Has those who wait for somebody else's receiving look again.</summary>
    public void Notify()
    {
        lock (_lock)
            Monitor.PulseAll(_lock);
    }

    /// <summary>Has everyone who waits for a transfer look again, the one that receives included.</summary>
    public void Wake()
    {
        _wake.Set();
        Notify();
    }

    public void Dispose()
    {
        _queue.Dispose();
        _wake.Dispose();
    }

    private bool IsFree => Volatile.Read(ref _receiving) == 0;

    private bool TryBeginReceiving() => Interlocked.CompareExchange(ref _receiving, 1, 0) == 0;

    private void EndReceiving()
    {
        // A full fence: whoever counted itself as waiting before this has seen the socket taken, and is woken.
        Interlocked.Exchange(ref _receiving, 0);
        if (Volatile.Read(ref _waiting) != 0)
            Notify();
    }

    private bool IsFull()
    {
        lock (_lock)
            return _queue.IsFull;
    }

    private static long After(TimeSpan time) => Environment.TickCount64 + (long)time.TotalMilliseconds;

    // False: the time is over.
    private bool WaitUntil(Func<Incoming, Transfer?, bool> condition, Transfer? transfer, long deadline)
    {
        Interlocked.Increment(ref _waiting);
        try
        {
            lock (_lock)
            {
                while (!condition(this, transfer))
                {
                    var left = deadline == Never ? Timeout.Infinite : (int)Math.Clamp(deadline - Environment.TickCount64, 0, int.MaxValue);
                    if (!Monitor.Wait(_lock, left))
                        return false;
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }

        return true;
    }

    private void TakeQueued(ref Message message)
    {
        message.Dispose();
        lock (_lock)
        {
            message = _queue.Dequeue();
            _queued = _queue.Count;
            Monitor.PulseAll(_lock);
        }

        if (EndedRange.Of(message.Header, message.Body) is { } range)
            Requests!.LetGo(range);
    }

    private ReceiveStatus ReceiveCommand(Message message, ReceiveWait? wait)
    {
        var receiver = _channel.Receiver;
        while (true)
        {
            var status = receiver.Receive(wait);
            if (status == ReceiveStatus.Message)
            {
                if (IsReplyToUs(receiver))
                    continue;
                receiver.MoveTo(message);
                message.Arrived = _time.GetTimestamp();
            }
            else if (status != ReceiveStatus.Interrupted)
            {
                message.Header = receiver.Header;
                End(status);
            }

            return status;
        }
    }

    private void Pump(Transfer transfer, long deadline)
    {
        var receiver = _channel.Receiver;
        _pumpWait.Begin(transfer, deadline);
        while (!transfer.IsDone && !_ended && !(_queued != 0 && IsFull()))
        {
            var status = receiver.Receive(_pumpWait);
            if (status == ReceiveStatus.Interrupted)
                return;
            if (status != ReceiveStatus.Message)
                End(status);
            else if (!IsReplyToUs(receiver))
                KeepCommand(receiver, transfer);
        }
    }

    private bool IsReplyToUs(MessageReceiver receiver)
    {
        if (receiver.Header.Type != MessageFlags.Reply || Requests is null || !Requests.TryComplete(receiver.Header, receiver.Body))
            return false;
        receiver.CloseDescriptors();
        return true;
    }

    private void KeepCommand(MessageReceiver receiver, Transfer transfer)
    {
        if (!_takesCommands)
        {
            Reply.SendError(_channel.Sender, receiver.Header, Errno.EINVAL, transfer);
            return;
        }

        var message = receiver.Detach();
        message.Arrived = _time.GetTimestamp();

        // Before it can be taken out of the queue, which ends this.
        if (EndedRange.Of(message.Header, message.Body) is { } range)
            Requests!.Hold(range);
        lock (_lock)
        {
            _queue.Enqueue(message);
            _queued = _queue.Count;
            Monitor.PulseAll(_lock);
        }
    }

    private void End(ReceiveStatus status)
    {
        _end = status;
        _ended = true;
        Requests?.Close();
        Notify();
    }
}
