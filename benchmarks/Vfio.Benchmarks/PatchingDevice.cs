namespace Vfio.Benchmarks;

/// <summary>What a variant that changes one register, and has a say in what is mapped, looks like on the hot path.</summary>
public sealed class PatchingDevice(IVfioPciCore core) : VfioPciDevice(core)
{
    private static readonly RegisterRange Revision = new(8, 1);

    /// <inheritdoc/>
    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        var result = base.Read(region, offset, destination);
        if (region == RegionIndex.Config && result.IsSuccess)
            Revision.Patch(offset, destination, [0x42]);
        return result;
    }

    /// <inheritdoc/>
    public override VfioResult<RegionMapping> Map(int region) => region == 0 ? base.Map(region) : Errno.EINVAL;
}
