using System.Runtime.InteropServices;
using Vfio.User.Client.Calls;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Client.Migration;

/// <summary>A data stream over MIG_DATA_READ or MIG_DATA_WRITE, with several of them on the way. One call at a time.</summary>
/// <remarks>
/// A read is cut into pieces that are received into the reader's memory itself. In STOP_COPY, where what is written does not change any
/// more, the stream asks ahead as well, into buffers of its own. A read that is given up takes over the pieces that are on the way: bytes
/// are never lost. What an answer asked for ahead says of the end is not believed: it is asked again. So is a server that says ETIMEDOUT:
/// its time for an answer was over, and the device has given nothing yet. Before the first byte, and behind such an answer, one read alone
/// is on the way. ETIMEDOUT of our own, after CallTimeout, loses what the answer would have brought, and ends the stream.
/// </remarks>
#pragma warning disable CA1001 // Of a semaphore only its wait handle is to be disposed of, and nobody asks for that.
internal sealed class WireDataStream(VfioUserClient client, MigrationState state) : MigrationDataStream
#pragma warning restore CA1001
{
    private readonly SemaphoreSlim _using = new(1, 1);
    private readonly List<Piece> _pieces = [];
    private readonly Stack<NativeBuffer> _spare = new();
    private readonly bool _isSaving = state != MigrationState.Resuming;
    private volatile bool _hasEnded;
    private bool _isFlowing;
    private volatile MigrationState _state = state;
    private Errno _failure;

    public override bool IsSaving => _isSaving;

    /// <summary>The state that the device was last said to be in.</summary>
    public MigrationState State
    {
        get => _state;
        set => _state = value;
    }

    /// <summary>The session has ended: reads and writes answer ENODEV.</summary>
    public void End() => _hasEnded = true;

    public override async ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (!_isSaving)
            return Errno.EBADF;
        if (destination.IsEmpty)
            return Errno.EINVAL;
        cancellationToken.ThrowIfCancellationRequested();
        if (_hasEnded)
            return Errno.ENODEV;
        if (_failure != Errno.None)
            return _failure;
        await _using.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return _hasEnded ? Errno.ENODEV : await FillAsync(destination, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _using.Release();
        }
    }

    private async ValueTask<VfioResult<int>> FillAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        using var pin = destination.Pin();
        var reader = new PieceReader(client, _pieces, _spare, Address(pin), destination.Length)
        {
            AsksAhead = _state == MigrationState.StopCopy && destination.Length >= PieceReader.LeastAhead,
            IsFlowing = _isFlowing,
        };
        VfioResult<int> read;
        try
        {
            read = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _isFlowing = reader.IsFlowing;
            if (reader.HasHole)
                _failure = Errno.ETIMEDOUT;
        }

        if (_hasEnded)
            return Errno.ENODEV;
        if (read.IsSuccess)
        {
            if (reader.Failure is not (Errno.None or Errno.ENOMSG))
                _failure = reader.Failure;
            return read.Value == 0 && _state != MigrationState.StopCopy ? Errno.ENOMSG : read;
        }

        return await ExplainAsync(read.Error, cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        if (_isSaving)
            return Errno.EBADF;
        cancellationToken.ThrowIfCancellationRequested();
        if (_hasEnded)
            return Errno.ENODEV;
        using var pin = source.Pin();
        var writer = new PieceWriter(client.Caller, client.MaxWrite);
        var result = await writer.WriteAsync(Address(pin), source.Length, cancellationToken).ConfigureAwait(false);
        return _hasEnded ? Errno.ENODEV
            : result.IsSuccess ? result : await ExplainAsync(result.Error, cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken)
    {
        if (_hasEnded)
            return Errno.ENODEV;
        var request = new PrecopyInfoStructure { ArgSize = PrecopyInfoStructure.Size };
        if (client.Caller.Begin(Command.GetPrecopyInfo, request, PrecopyInfoStructure.Size) is not { } call)
            return Errno.ENOTCONN;
        Errno error;
        try
        {
            var result = await client.Caller.CallAsync(call, cancellationToken).ConfigureAwait(false);
            if (result.IsSuccess)
            {
                return MemoryMarshal.TryRead<PrecopyInfoStructure>(call.Reply, out var info)
                    ? new PrecopyInfo(info.InitialBytes, info.DirtyBytes, (info.Flags & PrecopyInfoStructure.FlagReinitialised) != 0)
                    : client.Refuse($"answers GET_PRECOPY_INFO with {result.Value} bytes");
            }

            error = result.Error;
        }
        finally
        {
            client.Caller.End(call);
        }

        if (error == Errno.ENOSYS)
            return Errno.ENOTTY;
        if (error != Errno.EINVAL)
            return error;

        // So does a server answer that does not know the command: where the device could be asked, it is that.
        var now = await WireMigration.AskAsync(client, cancellationToken).ConfigureAwait(false);
        return !now.IsSuccess ? now.Error : now.Value is MigrationState.PreCopy or MigrationState.PreCopyP2P ? Errno.ENOTTY : Errno.EINVAL;
    }

    /// <inheritdoc/>
    /// <remarks>Waits for a read that is under way: closing the device ends that first.</remarks>
    public override async ValueTask DisposeAsync()
    {
        _hasEnded = true;
        await _using.WaitAsync().ConfigureAwait(false);
        try
        {
            await DropAsync().ConfigureAwait(false);
        }
        finally
        {
            _using.Release();
        }
    }

    private async ValueTask DropAsync()
    {
        foreach (var piece in _pieces)
        {
            if (piece.Call is { } call)
            {
                if (client.Caller.TryAbandon(call))
                    call.Complete(Errno.ECANCELED);
                _ = await piece.Reply!.ConfigureAwait(false);
                client.Caller.End(call);
            }

            piece.Buffer?.Dispose();
        }

        _pieces.Clear();
        while (_spare.TryPop(out var buffer))
            buffer.Dispose();
    }

    // A device that has been reset has no session any more, and its server may say no more than that there is nothing to read.
    private async ValueTask<Errno> ExplainAsync(Errno error, CancellationToken cancellationToken)
    {
        if (error != Errno.EINVAL)
            return error;
        var now = await WireMigration.AskAsync(client, cancellationToken).ConfigureAwait(false);
        var isHere = !now.IsSuccess || (_isSaving ? WireMigration.IsSaving(now.Value) : now.Value == MigrationState.Resuming);
        return isHere ? error : Errno.ENODEV;
    }

    private static unsafe nint Address(in System.Buffers.MemoryHandle pin) => (nint)pin.Pointer;
}
