namespace Vfio.Core.Tests.Orchestration;

/// <summary>A data stream of a <see cref="FakeDevice"/>; it gives and takes pieces of any size.</summary>
internal sealed class FakeStream : MigrationDataStream
{
    private const int LargestRead = 5;
    private readonly FakeDevice _device;
    private readonly int _session;
    private readonly Queue<byte> _pending = new();
    private bool _hasRoundEnded;
    private bool _isStopped;
    private bool _isDisposed;

    public FakeStream(FakeDevice device, bool isSaving)
    {
        (_device, IsSaving, _session) = (device, isSaving, device.Session);
        _device.OpenStreams++;
    }

    public override bool IsSaving { get; }

    public override ValueTask<VfioResult<int>> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        var error = _device.Enter("read", cancellationToken);
        if (error != Errno.None || !IsSaving)
            return new(IsSaving ? error : Errno.EBADF);
        if (_session != _device.Session)
            return new(Errno.ENODEV);
        Refill();
        if (_pending.Count == 0)
        {
            _hasRoundEnded = false;
            return new(_isStopped || _device.EndsRoundsWithZero ? new VfioResult<int>(0) : Errno.ENOMSG);
        }

        var count = Math.Min(destination.Length, _device.OnRead is null ? Math.Min(LargestRead, _pending.Count) : _pending.Count);
        for (var i = 0; i < count; i++)
        {
            destination.Span[i] = _pending.Dequeue();
            _device.Emitted.WriteByte(destination.Span[i]);
        }

        _device.OnRead?.Invoke(count);
        return new(count);
    }

    public override ValueTask<VfioResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        var error = _device.Enter("write", cancellationToken);
        if (error != Errno.None || IsSaving)
            return new(IsSaving ? Errno.EBADF : error);
        if (_session != _device.Session)
            return new(Errno.ENODEV);
        _device.Accepted.Write(source.Span);
        return new(VfioResult.Success);
    }

    public override ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_device.LacksInfo)
            return new(Errno.ENOTTY);
        var error = _device.Enter("get info", cancellationToken);
        if (error != Errno.None)
            return new(error);
        return _device.State is not (MigrationState.PreCopy or MigrationState.PreCopyP2P)
            ? new(Errno.EINVAL)
            : new(_device.Info is { } info ? info(_device.Round) : default(PrecopyInfo));
    }

    public override ValueTask DisposeAsync()
    {
        if (!_isDisposed)
            _device.OpenStreams--;
        _isDisposed = true;
        return ValueTask.CompletedTask;
    }

    private void Refill()
    {
        var stopped = _device.State == MigrationState.StopCopy;
        if (stopped ? _isStopped : _hasRoundEnded)
            return;
        var piece = stopped ? _device.StopCopyData : _device.NextPiece() ?? [];
        (_isStopped, _hasRoundEnded) = (stopped, !stopped);
        foreach (var one in piece)
            _pending.Enqueue(one);
    }
}
