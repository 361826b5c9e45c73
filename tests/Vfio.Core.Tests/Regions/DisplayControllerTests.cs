using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Regions;

public sealed class DisplayControllerTests
{
    [Theory]
    [InlineData(0xA0000u, 16, 16)]
    [InlineData(0xBFFFCu, 16, 4)]
    [InlineData(0x3B0u, 4, 4)]
    [InlineData(0x3BBu, 4, 1)]
    [InlineData(0x3C0u, 16, 16)]
    [InlineData(0x3DEu, 4, 2)]
    [InlineData(0x0u, 1, -22)]
    [InlineData(0x3AFu, 1, -22)]
    [InlineData(0x3BCu, 1, -22)]
    [InlineData(0x3E0u, 1, -22)]
    [InlineData(0x9FFFFu, 1, -22)]
    [InlineData(0xC0000u, 1, -22)]
    public async Task The_VGA_region_has_the_legacy_ranges_and_nothing_between_them(uint offset, int count, int expected)
    {
        var function = Controller();
        await using var device = await OpenDevice.Open(function);
        device.WriteConfig(4, 2, 0);

        Assert.Equal(new RegionInfo { Size = 0xC0000, Flags = RegionFlags.Read | RegionFlags.Write }, device.GetRegionInfo(RegionIndex.Vga).Value);
        var (read, written) = (device.Read(RegionIndex.Vga, offset, new byte[count]), device.Write(RegionIndex.Vga, offset, new byte[count]));
        Assert.Equal((expected, expected), (read.IsSuccess ? read.Value : -(int)read.Error, written.IsSuccess ? written.Value : -(int)written.Error));
    }

    [Fact]
    public async Task A_ROM_copy_in_memory_is_read_without_decoding_and_refused_while_memory_is_off()
    {
        var function = new ScriptedFunction(new Hardware().Bytes);
        var rom = new ScriptedBar(2048) { IsShadow = true, ImageSize = 1024 };
        (rom.Memory[0], rom.Memory[1]) = (0x55, 0xAA);
        function.Bars[RegionIndex.Rom] = rom;
        var enables = 0;
        function.OnConfigWrite = (offset, _, value) => enables += offset == 0x30 && (value & 1) != 0 ? 1 : 0;
        await using var device = await OpenDevice.Open(function);
        device.WriteConfig(4, 2, 2);

        Assert.Equal(new RegionInfo { Size = 2048, Flags = RegionFlags.Read }, device.GetRegionInfo(RegionIndex.Rom).Value);
        Assert.Equal(4, device.Read(RegionIndex.Rom, 0, new byte[4]).Value);
        Assert.Equal(0, enables);
        device.WriteConfig(4, 2, 0);
        Assert.Equal(Errno.EIO, device.Read(RegionIndex.Rom, 0, new byte[4]).Error);
        Assert.Equal(Errno.EIO, device.Read(RegionIndex.Rom, 1020, new byte[8]).Error);
        // What the image leaves is answered without the copy.
        Assert.Equal(4, device.Read(RegionIndex.Rom, 1024, new byte[4]).Value);
    }

    private static ScriptedFunction Controller()
    {
        var function = new ScriptedFunction(new Hardware().Bytes) { Id = new(0x1234, 0x1111, 0, 0, 0x030000, 1) };
        function.Bars[RegionIndex.Vga] = new ScriptedBar(0xC0000);
        return function;
    }
}
