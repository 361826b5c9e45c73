using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>
/// How large BARs are. Their registers tell as they tell any driver, by what they hold after ones were written; where no row did that, or
/// it leaves the size open, region_info tells.
/// </summary>
internal sealed class BarSizes
{
    private const uint IoFlags = 3, MemoryFlags = 0xF, RomFlags = 0x7FF;
    private readonly Dictionary<long, uint> _afterOnes = [];
    private readonly Dictionary<long, ulong> _told = [];
    private readonly HashSet<long> _listed = [];

    public BarSizes(RecordedDevice device)
    {
        foreach (var row in device.Of("config_write", "offset", "width", "value"))
        {
            if (row.Number("width") == sizeof(uint) && row.Number("value") == uint.MaxValue && row.TryBytes("after", out var after)
                && after.Length == sizeof(uint))
                _afterOnes.TryAdd(row.Number("offset"), ConfigBytes.Load(after, 0, sizeof(uint)));
        }

        foreach (var row in device.Of("region_info", "index", "errno", "size"))
        {
            _listed.Add(row.Number("index"));
            if (row.Number("errno") == 0 && row.Number("size") > 0)
                _told.TryAdd(row.Number("index"), row.Unsigned64("size"));
        }
    }

    /// <summary>What region_info says; 0 for nothing.</summary>
    public ulong Told(int index) => _told.GetValueOrDefault(index);

    /// <summary>Whether some row says how large a BAR is, or that there is none.</summary>
    public bool IsKnown(int index) => _afterOnes.ContainsKey(Registers.Bar0 + (4 * index)) || _listed.Contains(index);

    /// <summary>The size of BAR 0 to 5; 0 where there is none.</summary>
    public ulong Of(int index, BarKind kind)
    {
        var register = Registers.Bar0 + (4 * index);
        if (!_afterOnes.TryGetValue(register, out var low))
            return Usable(Told(index));
        if (kind == BarKind.Io)
            // Of 1 or 2 ports every bit is taken by an address or a flag.
            return low == uint.MaxValue ? Usable(Told(index)) : Size(low & ~IoFlags, uint.MaxValue, index);
        if (kind == BarKind.Memory64)
        {
            return _afterOnes.TryGetValue(register + 4, out var high)
                ? Size(((ulong)high << 32) | (low & ~MemoryFlags), ulong.MaxValue, index) : Usable(Told(index));
        }

        return Size(low & ~MemoryFlags, uint.MaxValue, index);
    }

    /// <summary>The size of the ROM, whether or not it holds an image; 0 where there is none.</summary>
    public ulong OfRom()
        => _afterOnes.TryGetValue(Registers.Rom, out var low) ? Size(low & ~RomFlags, uint.MaxValue, RegionIndex.Rom)
            : Usable(Told(RegionIndex.Rom));

    // A row that holds no size at all is told where it is replayed.
    private ulong Size(ulong address, ulong all, int index)
        => address == 0 ? 0 : ulong.IsPow2((~address & all) + 1) ? (~address & all) + 1 : Usable(Told(index));

    private static ulong Usable(ulong size) => ulong.IsPow2(size) ? size : 0;
}
