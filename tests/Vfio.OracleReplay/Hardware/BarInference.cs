using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>The BARs of a function: sizes from region_info, what they decode from the raw BAR registers.</summary>
internal static class BarInference
{
    private const uint KindIo = 1, Kind64 = 4, Prefetchable = 8, FlagBits = 0xF;
    private const uint IdeClass = 0x0101, VgaClass = 0x0300;
    private const ulong Page = 4096, VgaSize = 0xC0000, ShadowSize = 0x20000;

    public static IReadOnlyList<RecordedBarShape?> Of(RecordedDevice device, RecordedHardware hardware, IReadOnlyList<RecordedDevice> all)
    {
        var bars = new RecordedBarShape?[RegionIndex.FixedCount];
        var claimed = Claimed(device);
        foreach (var row in device.Of("region_info", "index", "errno", "size"))
        {
            var index = row.Number("index");
            if (row.Number("errno") != 0 || row.Number("size") <= 0)
                continue;
            if (index is >= RegionIndex.Bar0 and <= RegionIndex.Bar5)
                bars[index] = Bar(row, (int)index, row.Unsigned64("size"), hardware, all) with { IsClaimed = claimed.Contains(index) };
            else if (index == RegionIndex.Rom)
                bars[index] = Rom(row.Unsigned64("size"), true, hardware) with { ImageSize = ImageSize(device, row.Unsigned64("size")) };
            else if (index == RegionIndex.Vga)
                bars[index] = Vga(hardware);
        }

        bars[RegionIndex.Rom] ??= UnreadableRom(device, hardware);
        return bars;
    }

    private static RecordedBarShape Bar(RecordedRow row, int index, ulong size, RecordedHardware hardware,
        IReadOnlyList<RecordedDevice> all)
    {
        if (!ulong.IsPow2(size))
            throw row.Wrong("size", "size of a BAR: a power of two");
        var register = ConfigBytes.Load(hardware.WhileOpen, Registers.Bar0 + (4 * index), 4);
        var flags = register & FlagBits;
        if (register == 0 && IsCompatibilityIde(hardware, index))
        {
            flags = KindIo;
        }
        else if (register == 0)
        {
            flags = ConfigBytes.Load(hardware.Shown, Registers.Bar0 + (4 * index), 4) & FlagBits;
            hardware.Notes.Add($"BAR {index}: its register reads 0, so what it decodes is taken from virtual_config ({flags:X}h)");
        }

        var kind = (flags & KindIo) != 0 ? BarKind.Io : (flags & Kind64) != 0 ? BarKind.Memory64 : BarKind.Memory32;
        return new(index, size, kind, kind != BarKind.Io && (flags & Prefetchable) != 0)
        {
            IsMappable = kind != BarKind.Io && (size >= Page || HasPageOfItsOwn(index, register & ~FlagBits, size, hardware, all)),
        };
    }

    // The kernel gives an IDE controller in compatibility mode the ports of the first PCs, which its registers do not name.
    private static bool IsCompatibilityIde(RecordedHardware hardware, int index)
    {
        var programming = hardware.BeforeOpen[Registers.ClassCode];
        return ConfigBytes.Load(hardware.BeforeOpen, Registers.ClassCode + 1, 2) == IdeClass && index < 4
            && (programming & (index < 2 ? 1 : 4)) == 0;
    }

    private static bool HasPageOfItsOwn(int index, ulong address, ulong size, RecordedHardware hardware, IReadOnlyList<RecordedDevice> all)
    {
        if (address % Page != 0)
            return false;
        foreach (var other in all)
        {
            if (other.Of("raw_config_open") is not [var row, ..] || !row.TryBytes("bytes", out var config))
                continue;
            for (var i = 0; i <= RegionIndex.Bar5 && Registers.Bar0 + (4 * i) + 4 <= config.Length; i++)
            {
                if (other.Name == hardware.Name && i == index)
                    continue;
                var register = ConfigBytes.Load(config, Registers.Bar0 + (4 * i), 4);
                if ((register & KindIo) == 0 && (register & ~FlagBits) > address && (register & ~FlagBits) < address + Page)
                    return false;
                // The upper half is no BAR.
                i += (register & Kind64) != 0 && (register & KindIo) == 0 ? 1 : 0;
            }
        }

        return size > 0;
    }

    private static RecordedBarShape Rom(ulong size, bool hasImage, RecordedHardware hardware)
    {
        // Firmware leaves the first display controller's ROM at C0000h, and the kernel then takes those 128 KiB for the ROM
        // (pci_fixup_video), whatever the register says.
        var isShadow = ConfigBytes.Load(hardware.WhileOpen, Registers.Rom, 4) == 0 || (IsVga(hardware) && size == ShadowSize);
        if (isShadow)
            hardware.Notes.Add("its ROM is taken for the copy in memory that firmware leaves of a display controller's");
        return new(RegionIndex.Rom, size, BarKind.Memory32, false) { HasImage = hasImage, IsShadow = isShadow };
    }

    // REGION_INFO hides a ROM without an image. How large its register is, only a write of ones has shown.
    private static RecordedBarShape? UnreadableRom(RecordedDevice device, RecordedHardware hardware)
    {
        const uint AddressBits = 0xFFFFF800;
        foreach (var row in device.Of("config_write", "offset", "width", "value"))
        {
            if (row.Number("offset") != Registers.Rom || row.Number("width") != 4 || row.Number("value") != uint.MaxValue)
                continue;
            if (!row.TryBytes("after", out var after) || (ConfigBytes.Load(after, 0, 4) & AddressBits) is not (> 0 and var shown)
                || after.Length != 4)
                continue;
            hardware.Notes.Add(
                "its ROM has no image: the ROM's size is taken from what a client saw after writing ones, the only row that has it");
            return Rom(~shown + 1UL & uint.MaxValue, false, hardware);
        }

        return null;
    }

    private static RecordedBarShape? Vga(RecordedHardware hardware)
        => IsVga(hardware) ? new(RegionIndex.Vga, VgaSize, BarKind.Memory32, false) : null;

    // A read of what the image leaves of a ROM is answered though memory is off: that is how a recording tells that the image is smaller.
    private static ulong ImageSize(RecordedDevice device, ulong size)
    {
        const ulong Smallest = 512;
        return device.Of("region_read", "index", "enabled", "result")
            .Any(row => row.Number("index") == RegionIndex.Rom && row.Number("enabled") == 0 && row.Number("result") > 0)
            ? Math.Min(Smallest, size) : size;
    }

    // Another driver of the recording's host held the BAR, so that no read of it was let through.
    private static HashSet<long> Claimed(RecordedDevice device)
    {
        var reads = device.Of("region_read", "index", "enabled", "result").Where(row => row.Number("enabled") != 0)
            .ToLookup(row => row.Number("index"), row => row.Number("result"));
        return [.. reads.Where(r => r.Contains(-(int)Errno.EBUSY) && r.All(result => result < 0)).Select(r => r.Key)];
    }

    private static bool IsVga(RecordedHardware hardware) => ConfigBytes.Load(hardware.BeforeOpen, Registers.ClassCode + 1, 2) == VgaClass;
}
