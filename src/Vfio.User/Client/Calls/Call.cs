using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Client.Calls;

/// <summary>
/// One command and its reply. Pooled: prepared and read by its caller; between that it belongs to its <see cref="CallTable"/>.
/// </summary>
internal sealed unsafe class Call : IValueTaskSource<VfioResult<int>>, ICancelled, IDisposable
{
    private const int InitialCapacity = 128;

    /// <summary>A call that has had more than this in its own buffers is not kept for the next one.</summary>
    private const int LargestKept = 64 << 10;

    private readonly NativeBuffer _request = new(InitialCapacity);
    private readonly NativeBuffer _reply = new(InitialCapacity);
    private readonly List<SafeFileHandle> _descriptors = [];
    private ManualResetValueTaskSourceCore<VfioResult<int>> _source = new() { RunContinuationsAsynchronously = true };
    private readonly object _waiter = new();
    private bool _isAwaited;
    private volatile bool _isDone;
    private volatile bool _wasCancelled;
    private volatile bool _wasSent;

    public ushort Id { get; set; }

    public Command Command { get; private set; }

    public int RequestLength { get; private set; }

    /// <summary>Bytes of the reply's body that its caller has room for, the data not counted.</summary>
    public int ReplyCapacity { get; private set; }

    /// <summary>Bytes of the reply's body that have come, the data not counted.</summary>
    public int ReplyLength { get; set; }

    /// <summary>Where the data behind the first <see cref="ReplyCapacity"/> bytes goes; null for a reply without.</summary>
    public byte* Data { get; private set; }

    public int DataCapacity { get; private set; }

    /// <summary>How many descriptors the reply may carry.</summary>
    public int MostDescriptors { get; set; }

    /// <summary>The descriptors that came with the reply; the caller takes them out.</summary>
    public List<SafeFileHandle> Descriptors => _descriptors;

    /// <summary>Whether its data is being received: until that is over, <see cref="Data"/> is not its caller's.</summary>
    public bool IsReceiving { get; set; }

    public bool IsDone => _isDone;

    public VfioResult<int> Result { get; private set; }

    public bool IsKept => _request.Capacity <= LargestKept && _reply.Capacity <= LargestKept;

    /// <summary>Whether its caller has given it up.</summary>
    public bool WasCancelled
    {
        get => _wasCancelled;
        set => _wasCancelled = value;
    }

    /// <summary>Whether all of its message has been sent.</summary>
    public bool WasSent
    {
        get => _wasSent;
        set => _wasSent = value;
    }

    /// <summary>When a caller on a thread gives up, as <see cref="Environment.TickCount64"/> counts.</summary>
    public long Deadline { get; set; }

    bool ICancelled.IsCancelled => _wasCancelled || _isDone || MillisecondsLeft == 0;

    /// <inheritdoc/>
    public int MillisecondsLeft => Deadline == long.MaxValue
        ? Poll.Infinite : (int)Math.Clamp(Deadline - Environment.TickCount64, 0, int.MaxValue);

    /// <summary>The message, header included.</summary>
    public byte* Message => _request.Address;

    /// <summary>The fixed part of the reply.</summary>
    public Span<byte> Reply => _reply.Span(0, ReplyLength);

    /// <summary>Makes it anew.</summary>
    /// <param name="command">The command.</param>
    /// <param name="requestLength">Bytes of the request's fixed part.</param>
    /// <param name="replyCapacity">The most bytes of the reply's fixed part.</param>
    /// <returns>Room for the request's fixed part, zeroed.</returns>
    public Span<byte> Begin(Command command, int requestLength, int replyCapacity)
    {
        Command = command;
        RequestLength = requestLength;
        ReplyCapacity = replyCapacity;
        ReplyLength = 0;
        Data = null;
        DataCapacity = 0;
        MostDescriptors = 0;
        IsReceiving = false;
        Deadline = long.MaxValue;
        _isAwaited = false;
        _isDone = false;
        _wasCancelled = false;
        _wasSent = false;
        _source.Reset();
        _request.EnsureCapacity(MessageHeader.Size + requestLength);
        _reply.EnsureCapacity(replyCapacity);
        var request = _request.Span(MessageHeader.Size, requestLength);
        request.Clear();
        return request;
    }

    /// <summary>Has the reply's data received to a place that stays there until the call is done or abandoned.</summary>
    public void PlaceData(byte* data, int capacity)
    {
        Data = data;
        DataCapacity = capacity;
    }

    /// <summary>Takes the fixed part of a reply.</summary>
    public void SetReply(ReadOnlySpan<byte> body)
    {
        body.CopyTo(_reply.Span(0, body.Length));
        ReplyLength = body.Length;
    }

    /// <summary>Ends it, once: wakes whoever waits.</summary>
    public void Complete(VfioResult<int> result)
    {
        bool isAwaited;
        lock (_waiter)
        {
            Result = result;
            _isDone = true;
            isAwaited = _isAwaited;
            if (!isAwaited)
                Monitor.PulseAll(_waiter);
        }

        if (isAwaited)
            _source.SetResult(result);
    }

    /// <summary>Waits on this thread until <see cref="Deadline"/>.</summary>
    /// <returns>False: the time is over.</returns>
    public bool Wait()
    {
        lock (_waiter)
        {
            while (!_isDone)
            {
                if (!Monitor.Wait(_waiter, MillisecondsLeft) && MillisecondsLeft == 0)
                    return _isDone;
            }
        }

        return true;
    }

    /// <summary>Waits without a thread. To be called, and awaited, once.</summary>
    public ValueTask<VfioResult<int>> WaitAsync()
    {
        lock (_waiter)
        {
            if (_isDone)
                return new(Result);
            _isAwaited = true;
        }

        return new(this, _source.Version);
    }

    public VfioResult<int> GetResult(short token) => _source.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _source.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        => _source.OnCompleted(continuation, state, token, flags);

    /// <summary>Closes the descriptors that its caller has left.</summary>
    public void CloseDescriptors()
    {
        foreach (var descriptor in _descriptors)
            descriptor.Dispose();
        _descriptors.Clear();
    }

    public void Dispose()
    {
        CloseDescriptors();
        _request.Dispose();
        _reply.Dispose();
    }
}
