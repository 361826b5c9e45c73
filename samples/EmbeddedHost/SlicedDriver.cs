using Vfio;

namespace EmbeddedHost;

/// <summary>A variant that is linked into its host: it hides the upper half of BAR 0, and calls itself something else.</summary>
internal sealed class SlicedDriver : VariantDriver
{
    public override string Name => "sliced-vfio-pci";

    // More of the alias's fields than a plugin for the whole class names: fewer wildcards win.
    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0x1234, ClassCode = 0x010802, ClassMask = 0xFFFFFF }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => ValueTask.FromResult(
            context.Function.VirtualFunctionIndex >= 0
                ? ProbeResult.Bound(new SlicedDevice(context.Core))
                : ProbeResult.Refused("not a VF"));
}

/// <summary>
/// One slice over info, read, write and map; one patch over whatever part of the id a read of configuration space returns.
/// </summary>
internal sealed class SlicedDevice(IVfioPciCore core) : VfioPciDevice(core)
{
    private static readonly RegionSlice Visible = new(0x2000);
    private static readonly RegisterRange SubsystemId = new(0x2E, 2);

    public override VfioResult<RegionInfo> GetRegionInfo(int region)
    {
        var info = base.GetRegionInfo(region);
        return region == RegionIndex.Bar0 && info.IsSuccess ? Visible.Cut(info.Value) : info;
    }

    public override VfioResult<RegionMapping> Map(int region)
    {
        var mapping = base.Map(region);
        return region == RegionIndex.Bar0 && mapping.IsSuccess ? Visible.Cut(mapping.Value) : mapping;
    }

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (region == RegionIndex.Bar0)
        {
            var clip = Visible.Clip(offset, destination.Length);
            return clip.IsSuccess ? base.Read(region, offset, destination[..clip.Value]) : clip;
        }

        var result = base.Read(region, offset, destination);
        if (region == RegionIndex.Config && result.IsSuccess)
            SubsystemId.Patch(offset, destination[..result.Value], [0xEF, 0xBE]);
        return result;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (region != RegionIndex.Bar0)
            return base.Write(region, offset, source);
        var clip = Visible.Clip(offset, source.Length);
        return clip.IsSuccess ? base.Write(region, offset, source[..clip.Value]) : clip;
    }
}
