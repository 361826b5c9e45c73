using System.Runtime.InteropServices;
using Vfio.User.Dma;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Requests;

/// <summary>
/// What the server asks of its client: to read and write memory that only the client reaches. Thread-safe; a caller waits for its reply,
/// and receives for all while nobody else does.
/// </summary>
/// <remarks>
/// No client can make a caller wait for ever: a reset, an unmap of the range, the end of the client and the end of the server complete what
/// waits, and a transfer on the connection's own thread has a time-out besides. A reply that comes later is dropped by its id.
/// </remarks>
internal sealed unsafe class ClientRequests
{
    private readonly object _lock = new();
    private readonly PendingTransfers _pending = new();
    private readonly List<EndedRange> _held = [];
    private readonly MessageChannel _channel;
    private readonly Incoming _incoming;
    private readonly int _chunk;
    private readonly int _connectionThread = Environment.CurrentManagedThreadId;
    private readonly TimeSpan _timeout;
    private long _cancellations;
    private bool _suspended;
    private bool _closed;

    /// <summary>Creates the requests of one client, on the thread that serves it.</summary>
    /// <param name="channel">Where requests go out.</param>
    /// <param name="incoming">Where replies come in.</param>
    /// <param name="peerDataTransfer">The most data that the client takes in one message.</param>
    /// <param name="timeout">How long a transfer of this thread may take, before it fails.</param>
    public ClientRequests(MessageChannel channel, Incoming incoming, uint peerDataTransfer, TimeSpan timeout)
    {
        _channel = channel;
        _incoming = incoming;
        _incoming.Requests = this;
        _chunk = (int)Math.Min(peerDataTransfer, Limits.DmaChunk);
        _timeout = timeout;
    }

    public VfioResult Read(ClientMap map, ulong iova, Span<byte> destination)
    {
        var cancellations = Volatile.Read(ref _cancellations);
        fixed (byte* bytes = destination)
        {
            for (var done = 0; done < destination.Length; done += _chunk)
            {
                var length = Math.Min(_chunk, destination.Length - done);
                var error = Exchange(Command.DmaRead, map, iova + (uint)done, bytes + done, length, cancellations);
                if (error != Errno.None)
                    return error;
            }
        }

        return VfioResult.Success;
    }

    public VfioResult Write(ClientMap map, ulong iova, ReadOnlySpan<byte> source)
    {
        var cancellations = Volatile.Read(ref _cancellations);
        fixed (byte* bytes = source)
        {
            for (var done = 0; done < source.Length; done += _chunk)
            {
                var length = Math.Min(_chunk, source.Length - done);
                var error = Exchange(Command.DmaWrite, map, iova + (uint)done, bytes + done, length, cancellations);
                if (error != Errno.None)
                    return error;
            }
        }

        return VfioResult.Success;
    }

    /// <summary>Takes a reply to whoever waits for it.</summary>
    /// <returns>False: nobody asked for it.</returns>
    public bool TryComplete(in MessageHeader header, ReadOnlySpan<byte> body)
    {
        lock (_lock)
        {
            if (_pending.Find(header.Id) is not { Answered: false } transfer)
                return _pending.TakeAbandoned(header.Id);
            transfer.Answered = true;
            if (!transfer.IsDone)
                transfer.Complete(Result(transfer, header, body));
        }

        _incoming.Notify();
        return true;
    }

    /// <summary>Fails everything that waits, and what now runs from its next message on.</summary>
    public void CancelAll() => Cancel(static _ => true, alsoWhatRuns: true);

    /// <summary>
    /// A command that takes these addresses away waits for its turn: fails what waits there, and what would come to wait, until
    /// <see cref="LetGo"/>.
    /// </summary>
    public void Hold(EndedRange range)
    {
        lock (_lock)
            _held.Add(range);
        Cancel(transfer => range.Touches(transfer.Iova, transfer.Length), alsoWhatRuns: range.IsAll);
    }

    /// <summary>The command is being carried out.</summary>
    public void LetGo(EndedRange range)
    {
        lock (_lock)
            _held.Remove(range);
    }

    /// <summary>Fails what waits for a map that has ended.</summary>
    public void CancelMap(ClientMap map) => Cancel(transfer => transfer.Map == map);

    /// <summary>While suspended nothing is asked: the client waits for us, and would not answer.</summary>
    public void Suspend(bool suspended)
    {
        lock (_lock)
            _suspended = suspended;
        if (suspended)
            CancelAll();
    }

    /// <summary>The client is gone: fails everything, now and from now on.</summary>
    public void Close()
    {
        lock (_lock)
        {
            if (_closed)
                return;
            _closed = true;
            for (var i = 0; i < _pending.Count; i++)
            {
                if (!_pending[i].IsDone)
                    _pending[i].Complete(Errno.ENOTCONN);
            }

            WakeAll();
        }
    }

    /// <summary>Waits, after <see cref="Close"/>, until no caller is left inside.</summary>
    public void WaitIdle()
    {
        lock (_lock)
        {
            while (_pending.Count != 0)
                Monitor.Wait(_lock);
        }
    }

    private void Cancel(Predicate<Transfer> chosen, bool alsoWhatRuns = false)
    {
        lock (_lock)
        {
            // A device may cancel long after its client: there is nothing left then, the sockets included.
            if (_closed)
                return;
            if (alsoWhatRuns)
                _cancellations++;
            for (var i = 0; i < _pending.Count; i++)
            {
                if (!_pending[i].IsDone && chosen(_pending[i]))
                    _pending[i].Complete(Errno.ECANCELED);
            }

            WakeAll();
        }
    }

    private void WakeAll()
    {
        _incoming.Wake();
        _channel.Sender.Wake();
    }

    private Errno Exchange(Command command, ClientMap map, ulong iova, byte* data, int length, long cancellations)
    {
        Transfer transfer;
        lock (_lock)
        {
            if (_closed)
                return Errno.ENOTCONN;
            if (_suspended || map.IsEnding || _cancellations != cancellations || IsHeld(iova, length))
                return Errno.ECANCELED;
            transfer = _pending.Add();
            transfer.Command = command;
            transfer.Map = map;
            transfer.Iova = iova;
            transfer.Length = length;
            transfer.Destination = data;
        }

        var sent = false;
        try
        {
            var error = SendRequest(transfer, data);
            if (error != Errno.None)
                return error == Errno.ECANCELED ? transfer.Error : Errno.ENOTCONN;
            sent = true;
            return _incoming.WaitFor(transfer, Environment.CurrentManagedThreadId == _connectionThread ? _timeout : null);
        }
        finally
        {
            lock (_lock)
            {
                _pending.Remove(transfer, replyExpected: sent && !transfer.Answered);
                if (_pending.Count == 0)
                    Monitor.PulseAll(_lock);
            }
        }
    }

    private bool IsHeld(ulong iova, int length)
    {
        foreach (var range in _held)
        {
            if (range.Touches(iova, length))
                return true;
        }

        return false;
    }

    private Errno SendRequest(Transfer transfer, byte* data)
    {
        var head = stackalloc byte[MessageHeader.Size + DmaAccessStructure.Size];
        var dataLength = transfer.Command == Command.DmaWrite ? transfer.Length : 0;
        const int HeadLength = MessageHeader.Size + DmaAccessStructure.Size;
        *(MessageHeader*)head = new MessageHeader
        {
            Id = transfer.Id,
            Command = transfer.Command,
            MessageSize = (uint)(HeadLength + dataLength),
            Flags = MessageFlags.Command,
        };
        *(DmaAccessStructure*)(head + MessageHeader.Size) = new DmaAccessStructure
        {
            Address = transfer.Iova,
            Count = (ulong)transfer.Length,
        };
        return _channel.Sender.Send(head, HeadLength, data, dataLength, default, transfer);
    }

    private static Errno Result(Transfer transfer, in MessageHeader header, ReadOnlySpan<byte> body)
    {
        const int LargestErrno = 4095;
        if ((header.Flags & MessageFlags.Error) != 0)
            return header.Error is > 0 and <= LargestErrno ? (Errno)header.Error : Errno.EIO;
        if (header.Command != transfer.Command)
            return Errno.EPROTO;
        var data = transfer.Command == Command.DmaRead ? transfer.Length : 0;

        // The count of a DMA_WRITE reply is 8 bytes in one half of the specification and 4 in the other.
        if (body.Length < DmaAccessStructure.Size - (data == 0 ? sizeof(uint) : 0))
            return Errno.EPROTO;
        var count = MemoryMarshal.Read<uint>(body[sizeof(ulong)..]);
        if (count != (uint)transfer.Length || (data != 0 && body.Length != DmaAccessStructure.Size + data))
            return Errno.EPROTO;
        body[^data..].CopyTo(new Span<byte>(transfer.Destination, data));
        return Errno.None;
    }
}
