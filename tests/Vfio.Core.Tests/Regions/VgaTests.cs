using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Regions;

public sealed class VgaTests
{
    [Fact]
    public async Task A_display_controller_shows_its_legacy_ranges()
    {
        var function = Display(out var vga);
        await using var device = await OpenDevice.Open(function);

        var info = new RegionInfo { Size = 0xC0000, Flags = RegionFlags.Read | RegionFlags.Write };
        Assert.Equal(info, device.GetRegionInfo(RegionIndex.Vga).Value);
        vga.Memory[0xA0004] = 0x42;
        var read = new byte[8];
        Assert.Equal(8, device.Read(RegionIndex.Vga, 0xA0001, read).Value);
        Assert.Equal(0x42, read[3]);
        Assert.Equal(
            [(false, 0xA0001ul, 1), (false, 0xA0002, 2), (false, 0xA0004, 4), (false, 0xA0008, 1)], vga.Accesses);
        vga.Accesses.Clear();
        Assert.Equal(8, device.Write(RegionIndex.Vga, 0x3C8, new byte[8]).Value);
        Assert.Equal([(true, 0x3C8ul, 4), (true, 0x3CC, 4)], vga.Accesses);
        Assert.Equal(Errno.EINVAL, device.Map(RegionIndex.Vga).Error);
    }

    [Theory]
    [InlineData(0x030000u, false, true)]
    [InlineData(0x030001u, false, true)]
    [InlineData(0x030000u, true, false)]
    [InlineData(0x038000u, false, false)]
    [InlineData(0x020000u, false, false)]
    [Trait("Trap", "18")]
    public async Task Only_a_VGA_compatible_controller_has_the_region_and_only_where_it_is_allowed(uint @class, bool disabled, bool has)
    {
        var function = Display(out _, @class);
        await using var device = await OpenDevice.Open(function, options: new() { DisableVga = disabled });

        Assert.Equal(has ? Errno.None : Errno.EINVAL, device.GetRegionInfo(RegionIndex.Vga).Error);
        Assert.Equal(has ? Errno.None : Errno.EINVAL, device.Read(RegionIndex.Vga, 0xA0000, new byte[4]).Error);
    }

    private static ScriptedFunction Display(out ScriptedBar vga, uint @class = 0x030000)
    {
        var function = new ScriptedFunction(new Hardware().Bytes) { Id = new(0x1234, 0x1111, 0, 0, @class, 1) };
        vga = function.Bars[RegionIndex.Vga] = new ScriptedBar(0xC0000);
        return function;
    }
}
