using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>The BARs of a function: what they decode is in the raw BAR registers, how large they are in <see cref="BarSizes"/>.</summary>
internal static class BarInference
{
    private const uint KindIo = 1, Kind64 = 4, Prefetchable = 8, FlagBits = 0xF;
    private const uint IdeClass = 0x0101, VgaClass = 0x0300;
    private const ulong Page = 4096, VgaSize = 0xC0000, ShadowSize = 0x20000;

    public static IReadOnlyList<RecordedBarShape?> Of(RecordedDevice device, RecordedHardware hardware, IReadOnlyList<RecordedDevice> all)
    {
        var bars = new RecordedBarShape?[RegionIndex.FixedCount];
        var (sizes, claimed) = (new BarSizes(device), Claimed(device));
        for (var i = RegionIndex.Bar0; i <= RegionIndex.Bar5; i++)
        {
            bars[i] = Bar(i, sizes, hardware, all, claimed.Contains(i));
            // The upper half is no BAR.
            i += bars[i] is { Kind: BarKind.Memory64 } ? 1 : 0;
        }

        bars[RegionIndex.Rom] = Rom(device, sizes, hardware);
        bars[RegionIndex.Vga] = IsVga(hardware) ? new(RegionIndex.Vga, VgaSize, BarKind.Memory32, false) : null;
        return bars;
    }

    private static RecordedBarShape? Bar(
        int index, BarSizes sizes, RecordedHardware hardware, IReadOnlyList<RecordedDevice> all, bool isClaimed)
    {
        var register = ConfigBytes.Load(hardware.WhileOpen, Registers.Bar0 + (4 * index), 4);
        var flags = Flags(index, register, hardware);
        var kind = (flags & KindIo) != 0 ? BarKind.Io : (flags & Kind64) != 0 ? BarKind.Memory64 : BarKind.Memory32;
        var size = sizes.Of(index, kind);
        if (size == 0 && !sizes.IsKnown(index) && (register & ~FlagBits) is not 0 and var address)
        {
            size = address & (~address + 1);
            hardware.Notes.Add($"BAR {index}: no row tells how large it is: taken to be as large as its address allows");
        }

        if (size == 0)
            return null;
        return new(index, size, kind, kind != BarKind.Io && (flags & Prefetchable) != 0)
        {
            IsMappable = kind != BarKind.Io && (size >= Page || HasPageOfItsOwn(index, register & ~FlagBits, hardware, all)),
            IsClaimed = isClaimed,
        };
    }

    private static uint Flags(int index, uint register, RecordedHardware hardware)
        => hardware.VirtualFunction is { } identity ? identity.Bar(index)
            : register == 0 && IsCompatibilityIde(hardware, index) ? KindIo : register & FlagBits;

    // The kernel gives an IDE controller in compatibility mode the ports of the first PCs, which its registers do not name.
    private static bool IsCompatibilityIde(RecordedHardware hardware, int index)
    {
        var programming = hardware.BeforeOpen[Registers.ClassCode];
        return ConfigBytes.Load(hardware.BeforeOpen, Registers.ClassCode + 1, 2) == IdeClass && index < 4
            && (programming & (index < 2 ? 1 : 4)) == 0;
    }

    private static bool HasPageOfItsOwn(int index, ulong address, RecordedHardware hardware, IReadOnlyList<RecordedDevice> all)
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

        return true;
    }

    private static RecordedBarShape? Rom(RecordedDevice device, BarSizes sizes, RecordedHardware hardware)
    {
        var size = sizes.OfRom();
        if (size == 0)
            return null;
        // Firmware leaves the first display controller's ROM at C0000h, and the kernel then takes those 128 KiB for the ROM
        // (pci_fixup_video), whatever the register says.
        var isShadow = ConfigBytes.Load(hardware.WhileOpen, Registers.Rom, 4) == 0 || (IsVga(hardware) && size == ShadowSize);
        if (isShadow)
            hardware.Notes.Add("its ROM is taken for the copy in memory that firmware leaves of a display controller's");
        return new(RegionIndex.Rom, size, BarKind.Memory32, false)
        {
            IsShadow = isShadow, HasImage = HasImage(device, sizes), ImageSize = ImageSize(device, size),
        };
    }

    // Without an image nothing of it can be read.
    private static bool HasImage(RecordedDevice device, BarSizes sizes)
    {
        var reads = device.Of("region_read", "index", "result").Where(row => row.Number("index") == RegionIndex.Rom).ToList();
        return reads.Count > 0 ? reads.Exists(row => row.Number("result") > 0) : sizes.Told(RegionIndex.Rom) > 0;
    }

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
