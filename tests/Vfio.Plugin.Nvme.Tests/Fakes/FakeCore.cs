using Microsoft.Win32.SafeHandles;

namespace Vfio.Plugin.Nvme.Tests;

/// <summary>A core over a BAR 0 that is plain memory, with a note of every access that reaches it.</summary>
internal sealed class FakeCore(int virtualFunctionIndex) : IVfioPciCore
{
    public byte[] Bar0 { get; } = new byte[0x3000];

    public List<(ulong Offset, int Length)> Writes { get; } = [];

    public IPciResetHooks? Hooks { get; private set; }

    public RegionInfo Info0 { get; set; } = new() { Size = 0x3000, Flags = RegionFlags.Read | RegionFlags.Write };

    public IReadOnlyList<RegionArea>? Areas { get; set; }

    public IPciFunction Function { get; } = new FakeFunction(virtualFunctionIndex);

    public DeviceInfo Info => new(DeviceFlags.Pci | DeviceFlags.Reset, 9, 5);

    public bool MemoryEnabled { get; set; } = true;

    public IrqIndex? ActiveIrqIndex => null;

    public ValueTask<VfioResult> EnableAsync(VfioOpenContext context, IPciResetHooks hooks, CancellationToken cancellationToken)
    {
        Hooks = hooks;
        return new(VfioResult.Success);
    }

    public ValueTask CloseAsync(ResetCause cause) => default;

    public VfioResult<RegionInfo> GetRegionInfo(int region) => region == 0 ? Info0 : RegionInfo.Absent;

    public VfioResult<IrqInfo> GetIrqInfo(int index) => default(IrqInfo);

    public VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (!MemoryEnabled)
            return Errno.EIO;
        Bar0.AsSpan((int)offset, destination.Length).CopyTo(destination);
        return destination.Length;
    }

    public VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (!MemoryEnabled)
            return Errno.EIO;
        Writes.Add((offset, source.Length));
        source.CopyTo(Bar0.AsSpan((int)offset));
        return source.Length;
    }

    public VfioResult<RegionMapping> Map(int region)
        => Areas is null ? Errno.EINVAL : new RegionMapping { File = new SafeFileHandle(-1, false), Areas = Areas };

    public VfioResult<int> SetIrqs(in IrqSet set) => 0;

    public ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        Hooks?.ResetPrepare(cause);
        Hooks?.ResetDone(cause);
        return new(VfioResult.Success);
    }

    public VfioResult SetIoEventFd(int region, ulong offset, int width, ulong data, Microsoft.Win32.SafeHandles.SafeFileHandle? eventFd)
        => Errno.ENOTTY;

    public VfioResult<HotResetInfo> GetHotResetInfo() => Errno.ENOTTY;

    public ValueTask<VfioResult> HotResetAsync(CancellationToken cancellationToken) => ValueTask.FromResult<VfioResult>(Errno.ENOTTY);

    public VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output) => Errno.ENOTTY;

    public void RequestRelease(int count)
    {
    }

    public VfioResult<int> RegisterRegion(DeviceRegion region) => Errno.EINVAL;
}
