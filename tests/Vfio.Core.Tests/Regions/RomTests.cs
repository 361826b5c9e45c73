using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Regions;

public sealed class RomTests
{
    [Fact]
    [Trait("Trap", "14")]
    [Trait("Trap", "15")]
    public async Task A_ROM_reads_in_accesses_of_at_most_4_bytes_with_ones_behind_its_image_and_is_not_written()
    {
        var function = WithRom(out var rom);
        await using var device = await OpenDevice.Open(function);
        rom.Accesses.Clear();
        var enabled = 0;
        rom.OnAccess = (_, _) => enabled += (int)(function.Hardware32(0x30) & 1);

        var read = new byte[16];
        Assert.Equal(16, device.Read(RegionIndex.Rom, 1016, read).Value);
        Assert.Equal([.. new byte[8], .. Enumerable.Repeat((byte)0xFF, 8)], read);
        Assert.Equal([(false, 1016ul, 4), (false, 1020, 4)], rom.Accesses);
        Assert.Equal(2, enabled);
        Assert.Equal(0u, function.Hardware32(0x30) & 1);
        Assert.Equal(Errno.EINVAL, device.Write(RegionIndex.Rom, 0, new byte[4]).Error);
        // Recorded: a ROM that does not decode cannot be mapped by the kernel.
        device.WriteConfig(4, 2, 0);
        Assert.Equal(Errno.ENOMEM, device.Read(RegionIndex.Rom, 0, new byte[4]).Error);
    }

    [Fact]
    [Trait("Trap", "4")]
    [Trait("Trap", "16")]
    public async Task A_ROM_without_an_image_is_sized_but_empty()
    {
        var function = WithRom(out var rom);
        rom.Memory[1] = 0x5A;
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(RegionInfo.Absent, device.GetRegionInfo(RegionIndex.Rom).Value);
        device.WriteConfig(0x30, 4, 0xFFFFFFFF);
        Assert.Equal(0xFFFFF801u, device.ReadConfig(0x30));
        Assert.Equal(Errno.ENOMEM, device.Read(RegionIndex.Rom, 0, new byte[4]).Error);
    }

    [Fact]
    [Trait("Trap", "16")]
    public async Task Looking_for_an_image_turns_memory_decoding_on_and_leaves_it_as_it_was()
    {
        var function = WithRom(out var rom);
        // No memory BAR: nothing else turns decoding on.
        function.Bars.Remove(0);
        function.ConfigBytes[4] = 0;
        var decodes = new List<uint>();
        rom.OnAccess = (_, _) => decodes.Add(function.Hardware32(4) & 2);
        await using var device = await OpenDevice.Open(function);

        Assert.NotEmpty(decodes);
        Assert.All(decodes, memory => Assert.Equal(2u, memory));
        Assert.Equal(0u, function.Hardware32(4) & 2);
        Assert.Equal(new RegionInfo { Size = 2048, Flags = RegionFlags.Read }, device.GetRegionInfo(RegionIndex.Rom).Value);
    }

    private static ScriptedFunction WithRom(out ScriptedBar rom)
    {
        var function = new ScriptedFunction(new Hardware().Bytes);
        function.Bars[0] = new ScriptedBar(4096);
        rom = function.Bars[RegionIndex.Rom] = new ScriptedBar(2048) { ImageSize = 1024 };
        (rom.Memory[0], rom.Memory[1]) = (0x55, 0xAA);
        return function;
    }
}
