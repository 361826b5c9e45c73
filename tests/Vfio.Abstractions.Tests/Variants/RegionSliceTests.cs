using Microsoft.Win32.SafeHandles;

namespace Vfio.Tests.Variants;

public sealed class RegionSliceTests
{
    private static readonly RegionInfo Whole = new()
    {
        Size = 0x8000, Flags = RegionFlags.Read | RegionFlags.Write | RegionFlags.Mmap,
        SparseAreas = [new(0x1000, 0x1000), new(0x3000, 0x3000)],
    };

    [Fact]
    public void Info_is_cut_to_whole_pages_of_what_stays()
    {
        var cut = new RegionSlice(0x4800).Cut(Whole);

        Assert.Equal(0x4800ul, cut.Size);
        Assert.Equal([new RegionArea(0x1000, 0x1000), new(0x3000, 0x1000)], cut.SparseAreas);
        Assert.True(cut.Flags.HasFlag(RegionFlags.Mmap));
        Assert.Equal(0x8000ul, new RegionSlice(0x10000).Cut(Whole).Size);
    }

    [Fact]
    public void A_slice_without_an_area_cannot_be_mapped()
    {
        using var file = new SafeFileHandle(-1, ownsHandle: false);
        var slice = new RegionSlice(0x1800);
        var cut = slice.Cut(Whole with { SparseAreas = [new(0x1000, 0x1000)] });

        Assert.Null(cut.SparseAreas);
        Assert.Equal(RegionFlags.Read | RegionFlags.Write, cut.Flags);
        Assert.Equal(Errno.EINVAL, slice.Cut(new RegionMapping { File = file, Areas = [new(0x1000, 0x1000)] }).Error);
        Assert.Equal([new RegionArea(0, 0x1000)], slice.Cut(new RegionMapping { File = file, Areas = [new(0, 0x4000)] }).Value.Areas);
    }

    [Theory]
    [InlineData(0, 8, 8)]
    [InlineData(0x17F8, 16, 8)]
    [InlineData(0x17FF, 1, 1)]
    public void An_access_is_clipped_at_the_slices_end(ulong offset, int count, int expected)
    {
        Assert.Equal(expected, new RegionSlice(0x1800).Clip(offset, count).Value);
        Assert.Equal(Errno.EINVAL, new RegionSlice(0x1800).Clip(0x1800, count).Error);
        Assert.Equal(Errno.EINVAL, new RegionSlice(0x1800).Clip(ulong.MaxValue, count).Error);
    }
}
