using System.Runtime.InteropServices;
using Vfio.User.Client.Calls;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Client.Migration;

/// <summary>One read of a data stream: fills the reader's memory from the stream's pieces, and asks for more of them. Not thread-safe.</summary>
internal sealed class PieceReader(VfioUserClient client, List<Piece> pieces, Stack<NativeBuffer> spare, nint destination, int length)
{
    /// <summary>Several in the time of one large read, and large enough that the trips do not count.</summary>
    public const int LargestPiece = 256 << 10;

    /// <summary>Shorter reads are not asked ahead for: a reader who wants little at a time knows why.</summary>
    public const int LeastAhead = 64 << 10;

    /// <summary>On the way at a time; enough for a read of 8 MiB, whose last answer alone is then waited for.</summary>
    private const int Depth = 32;

    /// <summary>On the way while nobody reads: enough for the server to go on meanwhile, and little enough to copy.</summary>
    private const int DepthAhead = 2;
    private readonly Caller _caller = client.Caller;
    private readonly int _mostBytes = Math.Min(LargestPiece, client.Server.MaxDataTransfer);
    private int _filled;
    private int _asked;
    private bool _atEnd;
    private bool _wasLate;
    private VfioResult<int> _end = Errno.None;

    /// <summary>Whether to ask for more than there is room for now.</summary>
    public bool AsksAhead { get; set; }

    /// <summary>
    /// Whether bytes come at all: a server answers in order, and a change of state would have to wait for each read that is on the way to a
    /// device that saves nothing.
    /// </summary>
    public bool IsFlowing { get; set; }

    /// <summary>Whether an answer was given up, and what it brought is lost: nothing behind it may be read.</summary>
    public bool HasHole { get; private set; }

    /// <summary>What came in place of bytes behind those that were read.</summary>
    public Errno Failure => _end.Error;

    public async ValueTask<VfioResult<int>> ReadAsync(CancellationToken cancellationToken)
    {
        foreach (var piece in pieces)
            _asked += (piece.Outcome is { IsSuccess: true } known ? known.Value : piece.Asked) - piece.Taken;
        try
        {
            while (true)
            {
                var more = Ask();
                if (more != Errno.None && pieces.Count == 0)
                    return _filled != 0 ? _filled : more;
                if (pieces.Count == 0 || (pieces[0].Buffer is not null && (_filled == length || (_atEnd && _filled != 0))))
                {
                    if (_filled == length || _atEnd || (_wasLate && _filled != 0))
                        break;

                    // What was asked ahead has brought less than it was asked for, or the server's time was over.
                    _asked = _filled;
                    continue;
                }

                var first = pieces[0];
                if (first.Reply is { } reply)
                {
                    if (LastWanted() is { } last && last != first)
                        _ = await last.Reply!.WaitAsync(cancellationToken).ConfigureAwait(false);
                    Settle(first, await reply.WaitAsync(cancellationToken).ConfigureAwait(false));
                }

                Take(first);
            }
        }
        catch (OperationCanceledException)
        {
            await KeepAsync().ConfigureAwait(false);
            throw;
        }

        await SettleDirectAsync().ConfigureAwait(false);
        return _filled != 0 ? _filled : _end;
    }

    // Servers answer in order: when the last answer that there is room for has come, all have, and one wake-up was enough.
    private Piece? LastWanted()
    {
        var last = pieces.FindLastIndex(static piece => piece is { Buffer: null, Reply: not null });
        return last >= 0 ? pieces[last] : null;
    }

    private Errno Ask()
    {
        while (!_atEnd && pieces.Count < (IsFlowing ? Depth : 1))
        {
            var isAhead = _asked >= length;
            if (isAhead && (!AsksAhead || pieces.Count(static piece => piece.Buffer is not null) >= DepthAhead))
                break;
            var count = isAhead ? _mostBytes : Math.Min(_mostBytes, length - _asked);
            var error = Begin(count, isAhead);
            if (error != Errno.None)
                return error;
            _asked += count;
        }

        return Errno.None;
    }

    private unsafe Errno Begin(int count, bool isAhead)
    {
        var head = new MigrationDataStructure { ArgSize = (uint)(MigrationDataStructure.Size + count), Length = (uint)count };
        if (_caller.Begin(Command.MigrationDataRead, head, MigrationDataStructure.Size) is not { } call)
            return Errno.ENOTCONN;
        var buffer = isAhead ? Buffer(count) : null;
        var address = buffer is null ? destination + _asked : (nint)buffer.Address;
        call.PlaceData((byte*)address, count);
        pieces.Add(new Piece
        {
            Call = call,
            Reply = _caller.CallAsync(call, CancellationToken.None).AsTask(),
            Address = address,
            Buffer = buffer,
            Asked = count,
        });
        return Errno.None;
    }

    private NativeBuffer Buffer(int count)
    {
        if (!spare.TryPop(out var buffer))
            return new NativeBuffer(count);
        buffer.EnsureCapacity(count);
        return buffer;
    }

    private void Settle(Piece piece, VfioResult<int> result)
    {
        var call = piece.Call!;
        if (result.IsSuccess)
        {
            var isSound = MemoryMarshal.TryRead<MigrationDataStructure>(call.Reply, out var head)
                && head.Length <= (uint)piece.Asked && head.Length <= (uint)(result.Value - MigrationDataStructure.Size);
            result = isSound ? (int)head.Length
                : client.Refuse($"answers MIG_DATA_READ of {piece.Asked} bytes with {result.Value}, of which {head.Length} count");
        }
        else if (result.Error == Errno.ETIMEDOUT)
        {
            piece.IsLate = !call.WasCancelled;
            HasHole |= call.WasCancelled;
        }

        piece.Outcome = result;
        piece.Call = null;
        piece.Reply = null;
        _caller.End(call);
    }

    private unsafe void Take(Piece piece)
    {
        if (piece.IsLate)
        {
            (_wasLate, IsFlowing) = (true, false);
            Remove(piece);
            return;
        }

        var outcome = piece.Outcome!.Value;
        IsFlowing |= outcome is { IsSuccess: true, Value: > 0 };
        var there = outcome.IsSuccess ? outcome.Value - piece.Taken : 0;
        var count = Math.Min(there, length - _filled);
        var from = piece.Address + piece.Taken;
        if (count != 0 && from != destination + _filled)
            System.Buffer.MemoryCopy((void*)from, (void*)(destination + _filled), count, count);
        _filled += count;
        piece.Taken += count;
        if (count < there)
            return;
        if (piece.Buffer is null)
        {
            if (!outcome.IsSuccess || outcome.Value < piece.Asked)
                Ended(outcome.IsSuccess ? 0 : outcome);
        }
        else if (!outcome.IsSuccess && outcome.Error != Errno.ENOMSG)
        {
            Ended(outcome);
        }
        else if (!outcome.IsSuccess || outcome.Value < piece.Asked)
        {
            // The end, perhaps: what the reader has room for is asked once more, and nothing besides.
            AsksAhead = false;
        }

        Remove(piece);
    }

    private void Ended(VfioResult<int> end)
    {
        // A failure stands, whatever is said behind it.
        if (_end.IsSuccess)
            _end = end;
        (_atEnd, IsFlowing) = (true, false);
    }

    private void Remove(Piece piece)
    {
        pieces.Remove(piece);
        if (piece.Buffer is { } buffer)
            spare.Push(buffer);
    }

    // The reader's memory is given back: nothing may be on the way to it.
    private async ValueTask SettleDirectAsync()
    {
        for (var i = 0; i < pieces.Count;)
        {
            var piece = pieces[i];
            if (piece.Buffer is not null)
            {
                i++;
                continue;
            }

            if (piece.Reply is { } reply)
                Settle(piece, await reply.ConfigureAwait(false));
            Remove(piece);
        }
    }

    // The read is given up: what it has, and what is on the way, is kept for the next one.
    private async ValueTask KeepAsync()
    {
        foreach (var piece in pieces)
        {
            if (piece.Buffer is not null)
                continue;
            var buffer = Buffer(piece.Asked);
            if (piece.Call is { } call && !TryReplace(call, buffer))
                Settle(piece, await piece.Reply!.ConfigureAwait(false));
            if (piece.Outcome is { IsSuccess: true } outcome)
                Copy(piece.Address, buffer, outcome.Value);
            piece.Buffer = buffer;
            piece.Address = AddressOf(buffer);
        }

        if (_filled == 0)
            return;
        var first = Buffer(_filled);
        Copy(destination, first, _filled);
        pieces.Insert(0, new Piece { Asked = _filled, Buffer = first, Address = AddressOf(first), Outcome = _filled });
    }

    private unsafe bool TryReplace(Call call, NativeBuffer buffer) => _caller.TryReplace(call, buffer.Address);

    private static unsafe void Copy(nint from, NativeBuffer to, int count)
        => System.Buffer.MemoryCopy((void*)from, to.Address, count, count);

    private static unsafe nint AddressOf(NativeBuffer buffer) => (nint)buffer.Address;
}
