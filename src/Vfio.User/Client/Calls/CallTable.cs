using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Client.Calls;

/// <summary>
/// The calls whose replies are to come, by the ids of their messages. An id is given out again only when its reply has come, whether
/// anybody waits for that or not. Thread-safe.
/// </summary>
internal sealed unsafe class CallTable : IDataPlacement
{
    private const int IdCount = ushort.MaxValue + 1;
    private const int MostSpare = 64;
    private readonly object _lock = new();

    // Null: nobody waits any more.
    private readonly Dictionary<ushort, Call?> _pending = [];
    private readonly Stack<Call> _spare = new();
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ushort _nextId;
    private int _inside;
    private bool _closed;

    /// <summary>Completes when, after <see cref="Close"/>, no caller is left inside.</summary>
    public Task Idle => _idle.Task;

    /// <summary>Begins a call; to be ended by <see cref="End"/>.</summary>
    /// <returns>Null: the connection has ended.</returns>
    public Call? Rent()
    {
        lock (_lock)
        {
            if (_closed)
                return null;
            _inside++;
            return _spare.TryPop(out var call) ? call : new Call();
        }
    }

    /// <summary>Gives a call its id, and expects its reply from now on.</summary>
    /// <returns>ENOTCONN: the connection has ended. ENOBUFS: the server has left as many calls unanswered as there are ids.</returns>
    public Errno Expect(Call call)
    {
        lock (_lock)
        {
            if (_closed)
                return Errno.ENOTCONN;
            if (_pending.Count == IdCount)
                return Errno.ENOBUFS;
            while (_pending.ContainsKey(_nextId))
                _nextId++;
            call.Id = _nextId++;
            _pending.Add(call.Id, call);
            return Errno.None;
        }
    }

    /// <summary>A call has not been sent: no reply will come.</summary>
    /// <returns>False: it is done already.</returns>
    public bool Forget(Call call)
    {
        lock (_lock)
            return !call.IsDone && _pending.Remove(call.Id);
    }

    /// <summary>Nobody waits for a call any more: its reply is dropped, and its data not touched.</summary>
    /// <returns>False: it is done, or its data is being received; it must be waited for.</returns>
    public bool TryAbandon(Call call)
    {
        lock (_lock)
        {
            if (call.IsDone || call.IsReceiving || !_pending.TryGetValue(call.Id, out var pending) || pending != call)
                return false;
            _pending[call.Id] = null;
            return true;
        }
    }

    /// <summary>Has the data of a call received to another place, if nothing of it has come yet.</summary>
    public bool TryReplace(Call call, byte* data)
    {
        lock (_lock)
        {
            if (call.IsDone || call.IsReceiving)
                return false;
            call.PlaceData(data, call.DataCapacity);
            return true;
        }
    }

    /// <inheritdoc/>
    public byte* Place(in MessageHeader header, out int before)
    {
        before = 0;
        if (header.Flags != MessageFlags.Reply)
            return null;
        lock (_lock)
        {
            if (!_pending.TryGetValue(header.Id, out var call) || call is not { Data: not null } || call.Command != header.Command)
                return null;
            var body = (int)header.MessageSize - MessageHeader.Size;
            before = call.ReplyCapacity;
            if (body <= before || body - before > call.DataCapacity)
                return null;
            call.IsReceiving = true;
            return call.Data;
        }
    }

    /// <summary>Takes a reply to whoever waits for it.</summary>
    /// <returns>What is wrong with it; null if nothing is.</returns>
    public string? Complete(MessageReceiver receiver)
    {
        ref readonly var header = ref receiver.Header;
        Call? call;
        VfioResult<int> result;
        lock (_lock)
        {
            if (!_pending.Remove(header.Id, out call))
                return $"answers message {header.Id}, which was not asked";
            if (call is null)
                return null;
            if (Fault(call, receiver) is { } fault)
            {
                call.IsReceiving = false;
                _pending.Add(header.Id, call);
                return fault;
            }

            result = Take(call, receiver);
            call.IsReceiving = false;
        }

        call.Complete(result);
        return null;
    }

    /// <summary>Fails what waits, and what comes from now on.</summary>
    /// <param name="error">The errno of what waits.</param>
    public void Close(Errno error)
    {
        List<Call> failed;
        lock (_lock)
        {
            _closed = true;
            failed = [.. _pending.Values.OfType<Call>()];
            _pending.Clear();
            foreach (var call in failed)
                call.IsReceiving = false;
            NoteIdle();
        }

        foreach (var call in failed)
            call.Complete(error);
    }

    /// <summary>Ends a call that is done, abandoned or never sent.</summary>
    public void End(Call call)
    {
        call.CloseDescriptors();
        lock (_lock)
        {
            _inside--;
            if (!_closed && _spare.Count < MostSpare && call.IsKept)
                _spare.Push(call);
            else
                call.Dispose();
            NoteIdle();
        }
    }

    private void NoteIdle()
    {
        if (!_closed || _inside != 0)
            return;
        while (_spare.TryPop(out var spare))
            spare.Dispose();
        _idle.TrySetResult();
    }

    private static string? Fault(Call call, MessageReceiver receiver)
    {
        ref readonly var header = ref receiver.Header;
        if (header.Command != call.Command)
            return $"answers {call.Command} with {header.Command}";
        if ((header.Flags & ~(MessageFlags.Reply | MessageFlags.Error)) != 0)
            return $"answers {call.Command} with flags {(uint)header.Flags:x}";
        if (receiver.Descriptors.Count > call.MostDescriptors)
            return $"sends {receiver.Descriptors.Count} descriptors with a reply to {call.Command}";
        if ((header.Flags & MessageFlags.Error) == 0
            && header.MessageSize - MessageHeader.Size > call.ReplyCapacity + (long)call.DataCapacity)
            return $"answers {call.Command} with {header.MessageSize} bytes";
        return null;
    }

    private static VfioResult<int> Take(Call call, MessageReceiver receiver)
    {
        ref readonly var header = ref receiver.Header;
        if ((header.Flags & MessageFlags.Error) != 0)
            return ErrorOf(header.Error);
        for (var i = 0; i < receiver.Descriptors.Count; i++)
            call.Descriptors.Add(receiver.Descriptors.Take(i));
        call.SetReply(receiver.Body);
        return (int)header.MessageSize - MessageHeader.Size;
    }

    // The specification allows an error of 0, and a server may send any number.
    private static Errno ErrorOf(uint error)
    {
        const int LargestErrno = 4095;
        return error is > 0 and <= LargestErrno ? (Errno)error : Errno.EIO;
    }
}
