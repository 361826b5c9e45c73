using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Regions;

public sealed class RegionAccessTests
{
    [Fact]
    [Trait("Trap", "18")]
    public async Task Regions_are_told_as_the_kernel_tells_them()
    {
        var function = WithBars(out _, out _);
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(new RegionInfo { Size = 4096, Flags = RegionFlags.Read | RegionFlags.Write }, device.GetRegionInfo(0).Value);
        Assert.Equal(RegionInfo.Absent, device.GetRegionInfo(1).Value);
        Assert.Equal(new RegionInfo { Size = 2048, Flags = RegionFlags.Read }, device.GetRegionInfo(RegionIndex.Rom).Value);
        Assert.Equal(new RegionInfo { Size = 4096, Flags = RegionFlags.Read | RegionFlags.Write }, device.GetRegionInfo(RegionIndex.Config).Value);
        Assert.Equal(Errno.EINVAL, device.GetRegionInfo(RegionIndex.Vga).Error);
        Assert.Equal(Errno.EINVAL, device.GetRegionInfo(9).Error);
        Assert.Equal(Errno.EINVAL, device.GetRegionInfo(-1).Error);
        Assert.Equal(new DeviceInfo(DeviceFlags.Pci | DeviceFlags.Reset, 9, 5), device.Info);
    }

    [Fact]
    [Trait("Trap", "14")]
    public async Task A_request_becomes_the_widest_aligned_accesses()
    {
        var function = WithBars(out var memory, out var io);
        await using var device = await OpenDevice.Open(function);
        memory.Accesses.Clear();

        Assert.Equal(22, device.Read(0, 1, new byte[22]).Value);
        Assert.Equal([(1ul, 1), (2, 2), (4, 4), (8, 8), (16, 4), (20, 2), (22, 1)], memory.Accesses.Select(a => (a.Offset, a.Width)));
        Assert.Equal(8, device.Write(2, 0, new byte[8]).Value);
        Assert.Equal([(true, 0ul, 4), (true, 4, 4)], io.Accesses);
    }

    [Fact]
    public async Task Bytes_travel_as_they_lie_in_the_register()
    {
        var function = WithBars(out var memory, out _);
        await using var device = await OpenDevice.Open(function);

        device.Write(0, 3, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9], memory.Memory[3..12]);
        var read = new byte[9];
        device.Read(0, 3, read);
        Assert.Equal(memory.Memory[3..12], read);
    }

    [Fact]
    [Trait("Trap", "15")]
    [Trait("Trap", "18")]
    public async Task The_end_of_a_BAR_truncates_and_beyond_it_is_nothing()
    {
        var function = WithBars(out _, out _);
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(3, device.Read(0, 4093, new byte[8]).Value);
        Assert.Equal(3, device.Write(0, 4093, new byte[8]).Value);
        Assert.Equal(Errno.EINVAL, device.Read(0, 4096, new byte[1]).Error);
        Assert.Equal(Errno.EINVAL, device.Read(0, ulong.MaxValue, new byte[8]).Error);
        Assert.Equal(Errno.EINVAL, device.Read(1, 0, new byte[1]).Error);
        Assert.Equal(Errno.EINVAL, device.Read(RegionIndex.Vga, 0, new byte[1]).Error);
        Assert.Equal(0, device.Read(0, 4096, []).Value);
    }

    [Fact]
    [Trait("Trap", "13")]
    public async Task The_MSI_X_table_reads_as_ones_and_drops_writes_and_the_pending_bits_do_not()
    {
        var hardware = new Hardware();
        hardware.Msix(2, 0x100, 0x200);
        var function = new ScriptedFunction(hardware.Bytes);
        var bar = function.Bars[0] = new ScriptedBar(4096);
        await using var device = await OpenDevice.Open(function);

        var read = new byte[48];
        Assert.Equal(48, device.Read(0, 0xF8, read).Value);
        Assert.Equal([.. new byte[8], .. Enumerable.Repeat((byte)0xFF, 32), .. new byte[8]], read);
        Assert.All(bar.Accesses, a => Assert.True(a.Offset is < 0x100 or >= 0x120));
        Assert.Equal(32, device.Write(0, 0x100, new byte[32]).Value);
        Assert.Equal(8, device.Write(0, 0x200, [1, 2, 3, 4, 5, 6, 7, 8]).Value);
        Assert.Equal([(true, 0x200ul, 8)], bar.Accesses.Where(a => a.IsWrite));

        // Recorded: the table answers, by itself, even where memory does not.
        device.WriteConfig(4, 2, 0);
        Assert.Equal(4, device.Read(0, 0x100, new byte[4]).Value);
        Assert.Equal(Errno.EIO, device.Read(0, 0x200, new byte[4]).Error);
        Assert.Equal(Errno.EIO, device.Read(0, 0x11C, new byte[8]).Error);
    }

    [Fact]
    public async Task I_O_BARs_answer_whatever_COMMAND_says()
    {
        var function = WithBars(out _, out _);
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(4, 2, 0);
        Assert.Equal(4, device.Read(2, 0, new byte[4]).Value);
    }

    [Fact]
    [Trait("Trap", "15")]
    public async Task A_transfer_that_fails_under_way_has_transferred_nothing()
    {
        var hardware = new Hardware();
        hardware.Msix(2, 0x100, 0x200);
        var function = new ScriptedFunction(hardware.Bytes);
        var bar = function.Bars[0] = new ScriptedBar(4096);
        await using var device = await OpenDevice.Open(function);
        device.WriteConfig(4, 2, 0);
        bar.Accesses.Clear();

        // The table is answered without the device; what lies behind it is not.
        Assert.Equal(16, device.Read(0, 0x110, new byte[16]).Value);
        Assert.Equal(Errno.EIO, device.Read(0, 0x110, new byte[24]).Error);
        Assert.Equal(Errno.EIO, device.Write(0, 0x110, new byte[24]).Error);
        Assert.Empty(bar.Accesses);
    }

    [Fact]
    [Trait("Trap", "17")]
    public async Task An_offset_names_no_region()
    {
        const int Shift = 40;
        await using var device = await OpenDevice.Open(WithBars(out _, out _));

        Assert.Equal(Errno.EINVAL, device.Read(0, 2ul << Shift, new byte[4]).Error);
        Assert.Equal(Errno.EINVAL, device.Write(0, 2ul << Shift, new byte[4]).Error);
        Assert.Equal(Errno.EFAULT, device.Read(RegionIndex.Config, (ulong)RegionIndex.Config << Shift, new byte[4]).Error);
    }

    [Fact]
    [Trait("Trap", "20")]
    public async Task A_BAR_below_a_page_is_mapped_as_the_page_that_its_file_holds()
    {
        using var file = new SafeFileHandle(-1, false);
        var function = new ScriptedFunction(new Hardware().Bytes);
        var page = new RegionMapping { File = file, Areas = [new(0, 0x1000)] };
        function.Bars[0] = new ScriptedBar(0x100) { Mapping = page };
        function.Bars[1] = new ScriptedBar(0x100);
        await using var device = await OpenDevice.Open(function);

        var info = device.GetRegionInfo(0).Value!;
        Assert.Equal((0x100ul, true, true), (info.Size, info.Flags.HasFlag(RegionFlags.Mmap), info.SparseAreas is null));
        Assert.Equal([new RegionArea(0, 0x1000)], device.Map(0).Value!.Areas);
        Assert.False(device.GetRegionInfo(1).Value!.Flags.HasFlag(RegionFlags.Mmap));
        Assert.Equal(Errno.EINVAL, device.Map(1).Error);
    }

    [Fact]
    [Trait("Trap", "6")]
    public async Task A_BAR_is_mapped_in_the_areas_that_the_back_end_gives()
    {
        using var file = new SafeFileHandle(-1, false);
        var hardware = new Hardware();
        hardware.Msix(2, 0x0000, 0x800);
        var function = new ScriptedFunction(hardware.Bytes);
        var sparse = new RegionMapping { File = file, Areas = [new(0x1000, 0x1000)] };
        var whole = new RegionMapping { File = file, Areas = [new(0, 0x2000)] };
        function.Bars[0] = new ScriptedBar(0x2000) { Mapping = sparse };
        function.Bars[1] = new ScriptedBar(0x2000) { Mapping = whole };
        function.Bars[2] = new ScriptedBar(0x20, BarKind.Io) { Mapping = whole };
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(sparse.Areas, device.GetRegionInfo(0).Value.SparseAreas);
        Assert.Equal(RegionFlags.Read | RegionFlags.Write | RegionFlags.Mmap, device.GetRegionInfo(0).Value.Flags);
        Assert.Null(device.GetRegionInfo(1).Value.SparseAreas);
        Assert.Same(sparse, device.Map(0).Value);
        Assert.Equal(Errno.EINVAL, device.Map(2).Error);
        Assert.Equal(Errno.EINVAL, device.Map(3).Error);
        Assert.Equal(Errno.EINVAL, device.Map(RegionIndex.Config).Error);
    }

    [Fact]
    public async Task A_region_that_a_variant_adds_has_the_next_index_until_the_device_is_closed()
    {
        var function = WithBars(out _, out _);
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(9, device.Core.RegisterRegion(new MemoryRegion(16, new(0x80001234, 1))).Value);
        Assert.Equal(10, device.Info.RegionCount);
        Assert.Equal(new RegionType(0x80001234, 1), device.GetRegionInfo(9).Value.Type);
        Assert.Equal(2, device.Write(9, 14, [1, 2, 3]).Value);
        var read = new byte[4];
        Assert.Equal(2, device.Read(9, 14, read).Value);
        Assert.Equal([1, 2, 0, 0], read);
        Assert.Equal(Errno.EINVAL, device.Read(9, 16, read).Error);
        Assert.Equal(Errno.EINVAL, device.Read(10, 0, read).Error);

        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(Errno.EINVAL, device.Core.RegisterRegion(new MemoryRegion(16, new(0x80001234, 1))).Error);
        await device.OpenAsync(new() { Dma = new DmaSpace() }, TestContext.Current.CancellationToken);
        Assert.Equal(9, device.Info.RegionCount);
    }

    private static ScriptedFunction WithBars(out ScriptedBar memory, out ScriptedBar io)
    {
        var function = new ScriptedFunction(new Hardware().Bytes);
        memory = function.Bars[0] = new ScriptedBar(4096);
        io = function.Bars[2] = new ScriptedBar(256, BarKind.Io);
        var rom = function.Bars[RegionIndex.Rom] = new ScriptedBar(2048) { ImageSize = 1024 };
        rom.Memory[0] = 0x55;
        rom.Memory[1] = 0xAA;
        return function;
    }
}
