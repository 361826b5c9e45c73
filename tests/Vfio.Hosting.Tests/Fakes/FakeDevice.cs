namespace Vfio.Hosting.Tests;

/// <summary>A device whose every member does what a test says; what it says nothing of works.</summary>
internal sealed class FakeDevice : VfioDevice
{
    public Func<VfioResult> OnOpen { get; set; } = () => VfioResult.Success;

    public Action OnClose { get; set; } = () => { };

    public Func<int, VfioResult<int>> OnRead { get; set; } = length => length;

    public Func<int, VfioResult<int>> OnWrite { get; set; } = length => length;

    public Func<VfioResult<RegionInfo>> OnRegionInfo { get; set; } = () => RegionInfo.Absent;

    public Func<VfioResult<RegionMapping>> OnMap { get; set; } = () => Errno.EINVAL;

    public Func<VfioResult<int>> OnSetIrqs { get; set; } = () => 0;

    public Func<DeviceInfo> OnInfo { get; set; } = () => new(DeviceFlags.Pci, 9, 5);

    public Func<IEnumerable<KeyValuePair<string, string>>> OnDescribe { get; set; } = () => [];

    public Func<CancellationToken, Task<VfioResult>> OnReset { get; set; } = _ => Task.FromResult(VfioResult.Success);

    public override IMigration? Migration => Inner;

    public override IMigrationOps? MigrationOps => Ops;

    public override IDmaLogging? DmaLogging => Log;

    public override bool IsDmaMediated => IsMediated;

    public override IProfiles? Profiles => Personalities;

    public IMigration? Inner { get; set; }

    public IMigrationOps? Ops { get; set; }

    public IDmaLogging? Log { get; set; }

    public bool IsMediated { get; set; }

    public IProfiles? Personalities { get; set; }

    public int Reads { get; private set; }

    public override DeviceInfo Info => OnInfo();

    public void Reset(ResetCause cause) => RaiseWasReset(cause);

    public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken) => new(OnOpen());

    public override ValueTask CloseAsync(ResetCause cause)
    {
        OnClose();
        return default;
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region) => OnRegionInfo();

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => new IrqInfo(IrqFlags.EventFd, 1);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        Reads++;
        return OnRead(destination.Length);
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => OnWrite(source.Length);

    public override VfioResult<RegionMapping> Map(int region) => OnMap();

    public override VfioResult<int> SetIrqs(in IrqSet set) => OnSetIrqs();

    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
        => new(OnReset(cancellationToken));

    public override IEnumerable<KeyValuePair<string, string>> Describe() => OnDescribe();
}
