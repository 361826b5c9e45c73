namespace Vfio.Core.Tests.Relaying;

/// <summary>A device below that takes everything and shapes nothing: what a core adds to it shows.</summary>
internal sealed class BelowDevice : VfioDevice
{
    public byte[] Config { get; init; } = new byte[4096];

    public List<string> Calls { get; } = [];

    public VfioOpenContext? Context { get; private set; }

    public Func<VfioResult> OnOpen { get; set; } = () => VfioResult.Success;

    public DeviceFlags Flags { get; init; } = DeviceFlags.Pci | DeviceFlags.Reset;

    public override DeviceInfo Info => new(Flags, RegionIndex.FixedCount, IrqInfo.IndexCount);

    public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        Context = context;
        return new(OnOpen());
    }

    public override ValueTask CloseAsync(ResetCause cause)
    {
        Calls.Add($"close {cause}");
        return default;
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region) => new RegionInfo { Size = 64, Flags = RegionFlags.Read };

    public override VfioResult<IrqInfo> GetIrqInfo(int index) => new IrqInfo(IrqFlags.EventFd, 7);

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        Config.AsSpan((int)offset, destination.Length).CopyTo(destination);
        return destination.Length;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        Calls.Add($"write {region} {offset:x} {Convert.ToHexString(source)}");
        source.CopyTo(Config.AsSpan((int)offset));
        return source.Length;
    }

    public override VfioResult<int> SetIrqs(in IrqSet set)
    {
        Calls.Add($"irqs {set.Index} {set.Start} {set.Count} {(uint)set.Flags:x}");
        set.DisposeEventFds();
        return 0;
    }

    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        Calls.Add($"reset {cause}");
        return new(Flags.HasFlag(DeviceFlags.Reset) ? VfioResult.Success : Errno.EINVAL);
    }

    public override VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
    {
        Calls.Add($"feature {request.Id} {(uint)request.Operation:x}");
        return 0;
    }

    public override VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region)
    {
        Calls.Add($"io fds {region}");
        return new VfioResult<IReadOnlyList<RegionIoEventFd>>([]);
    }

    /// <summary>It resets by itself.</summary>
    public void ResetBySelf(ResetCause cause) => RaiseWasReset(cause);
}
