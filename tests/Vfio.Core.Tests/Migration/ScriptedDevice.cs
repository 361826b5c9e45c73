namespace Vfio.Core.Tests.Migration;

/// <summary>A device that does nothing but migrate, and is reset when a test says so.</summary>
internal sealed class ScriptedDevice(IMigration? migration) : VfioDevice
{
    public override IMigration? Migration => migration;

    public override DeviceInfo Info => new(DeviceFlags.Reset, 0, 0);

    public void Reset(ResetCause cause = ResetCause.DeviceReset) => RaiseWasReset(cause);

    public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        Reset(ResetCause.Open);
        return ValueTask.FromResult(VfioResult.Success);
    }

    public override ValueTask CloseAsync(ResetCause cause)
    {
        Reset(cause);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        Reset(cause);
        return ValueTask.FromResult(VfioResult.Success);
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region) => Errno.EINVAL;

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => Errno.EINVAL;

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => Errno.EINVAL;

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => Errno.EINVAL;

    public override VfioResult<int> SetIrqs(in IrqSet set) => Errno.EINVAL;
}
