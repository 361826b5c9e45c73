namespace Vfio.Hosting.Tests;

/// <summary>A core that only counts how often it was closed.</summary>
internal sealed class FakeCore : IVfioPciCore
{
    public List<ResetCause> Closed { get; } = [];

    public IPciFunction Function { get; } = new FakeFunction("0000:01:00.0", 1);

    public DeviceInfo Info => throw new NotSupportedException();

    public bool MemoryEnabled => throw new NotSupportedException();

    public IrqIndex? ActiveIrqIndex => null;

    public ValueTask<VfioResult> EnableAsync(VfioOpenContext context, IPciResetHooks hooks, CancellationToken cancellationToken)
        => throw new NotSupportedException();

    public ValueTask CloseAsync(ResetCause cause)
    {
        Closed.Add(cause);
        return default;
    }

    public VfioResult<RegionInfo> GetRegionInfo(int region) => throw new NotSupportedException();

    public VfioResult<IrqInfo> GetIrqInfo(int index) => throw new NotSupportedException();

    public VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => throw new NotSupportedException();

    public VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => throw new NotSupportedException();

    public VfioResult<RegionMapping> Map(int region) => throw new NotSupportedException();

    public VfioResult<int> SetIrqs(in IrqSet set) => throw new NotSupportedException();

    public ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken) => throw new NotSupportedException();

    public VfioResult SetIoEventFd(int region, ulong offset, int width, ulong data, Microsoft.Win32.SafeHandles.SafeFileHandle? eventFd)
        => Errno.ENOTTY;

    public VfioResult<HotResetInfo> GetHotResetInfo() => Errno.ENOTTY;

    public ValueTask<VfioResult> HotResetAsync(CancellationToken cancellationToken) => ValueTask.FromResult<VfioResult>(Errno.ENOTTY);

    public VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
        => throw new NotSupportedException();

    public void RequestRelease(int count) => throw new NotSupportedException();

    public VfioResult<int> RegisterRegion(DeviceRegion region) => throw new NotSupportedException();
}
