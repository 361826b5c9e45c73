using Vfio.Core;

namespace Vfio.SocketBenchmark;

/// <summary>
/// A device whose state is so many bytes, copied from memory of its own: what is measured is everything behind that copy.
/// </summary>
internal sealed class StateDevice : VfioDevice, IMigration
{
    private const int Piece = 256 << 10;
    private readonly byte[] _state = new byte[16 << 20];
    private readonly long _size;

    public StateDevice(long size)
    {
        _size = size;
        for (var i = 0; i < _state.Length; i += sizeof(int))
            BitConverter.TryWriteBytes(_state.AsSpan(i), i);
        MigrationOps = new MigrationService(this);
    }

    public override IMigration Migration => this;

    public override IMigrationOps MigrationOps { get; }

    public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy;

    public ulong StopCopySize => (ulong)_size;

    public override DeviceInfo Info => new(DeviceFlags.Pci, RegionIndex.FixedCount, IrqInfo.IndexCount);

    public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        RaiseWasReset(ResetCause.Open);
        return ValueTask.FromResult(VfioResult.Success);
    }

    public override ValueTask CloseAsync(ResetCause cause)
    {
        RaiseWasReset(cause);
        return ValueTask.CompletedTask;
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region) => RegionInfo.Absent;

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => new IrqInfo(IrqFlags.EventFd, 0);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => Errno.EINVAL;

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => Errno.EINVAL;

    public override VfioResult<int> SetIrqs(in IrqSet set)
    {
        set.DisposeEventFds();
        return Errno.EINVAL;
    }

    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
        => ValueTask.FromResult(VfioResult.Success);

    public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
        => ValueTask.FromResult(VfioResult.Success);

    public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
    {
        var writer = session.Saving!;
        for (var done = 0L; done < _size;)
        {
            var count = (int)Math.Min(Piece, _size - done);
            _state.AsSpan((int)(done % _state.Length), count).CopyTo(writer.GetSpan(count));
            writer.Advance(count);
            done += count;
            await writer.FlushAsync(cancellationToken);
        }

        return VfioResult.Success;
    }

    public ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
        => ValueTask.FromResult<VfioResult>(Errno.EOPNOTSUPP);
}
