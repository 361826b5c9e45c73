using Vfio.Core.Config;
using Vfio.Core.Reset;

namespace Vfio.Core.Regions;

/// <summary>
/// The regions of an open device. Reads and writes allocate nothing. Thread-safe. Source: the kernel's <c>vfio_pci_rdwr.c</c> and region
/// info.
/// </summary>
/// <remarks>
/// A client that was given a file cannot be made to give it back when memory decoding goes off or the function is reset, as the kernel's
/// zap does to its mappings. So a BAR is mappable only in the areas whose accesses have no side effects, and the back end says which these
/// are.
/// </remarks>
internal sealed class RegionTable
{
    private const int WidestMemory = 8, WidestIo = 4;
    private readonly VirtualConfig _config;
    private readonly AccessGate _gate;
    private readonly Func<bool> _memoryEnabled;
    private readonly FunctionBar?[] _bars = new FunctionBar?[RegionIndex.Rom];
    private readonly RomRegion? _rom;
    private readonly FunctionBar? _vga;
    private readonly MsixTable _msix;
    private readonly ulong _configSize;

    public RegionTable(
        IPciFunction function, ConfigMap map, VirtualConfig config, AccessGate gate, VfioPciCoreOptions options, Func<bool> memoryEnabled)
    {
        _config = config;
        _gate = gate;
        _memoryEnabled = memoryEnabled;
        _configSize = (ulong)map.Size;
        _msix = MsixTable.Of(function, map);
        for (var i = 0; i < _bars.Length; i++)
        {
            if (function.Bar(i) is not { } bar)
                continue;
            var table = _msix.Bar == i ? _msix : default;
            _bars[i] = new(bar, bar.Kind == BarKind.Io ? WidestIo : WidestMemory, table.Start, table.End);
        }

        _rom = function.Bar(RegionIndex.Rom) is { } rom ? new(function, rom) : null;
        _vga = options.DisableVga ? null : VgaRegion.Of(function);
    }

    /// <summary>The regions that a variant has added.</summary>
    public DeviceRegions Device { get; } = new(RegionIndex.FixedCount);

    public int Count => Device.End;

    /// <summary>BAR 0 to 5; null where the function has none.</summary>
    public FunctionBar? BarAt(int region) => region is >= RegionIndex.Bar0 and <= RegionIndex.Bar5 ? _bars[region] : null;

    public VfioResult<RegionInfo> Info(int region)
    {
        switch (region)
        {
            case >= RegionIndex.Bar0 and <= RegionIndex.Bar5:
                return _bars[region] is { } bar ? BarInfo(region, bar.Bar) : RegionInfo.Absent;
            case RegionIndex.Rom:
                return _rom is { HasImage: true } ? new RegionInfo { Size = _rom.Size, Flags = RegionFlags.Read } : RegionInfo.Absent;
            case RegionIndex.Config:
                return new RegionInfo { Size = _configSize, Flags = RegionFlags.Read | RegionFlags.Write };
            case RegionIndex.Vga:
                return _vga is null ? Errno.EINVAL : VgaRegion.Info;
            default:
                return Device.Info(region);
        }
    }

    public VfioResult<RegionMapping> Map(int region)
    {
        if (region is < RegionIndex.Bar0 or > RegionIndex.Bar5)
            return Device.Map(region);
        return Mapping(_bars[region]?.Bar) is { Areas.Count: > 0 } mapping ? mapping : Errno.EINVAL;
    }

    public VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return 0;
        switch (region)
        {
            case >= RegionIndex.Bar0 and <= RegionIndex.Bar5:
                return _bars[region] is { } bar && offset < bar.Bar.Size
                    ? ReadBar(bar, offset, destination[..Fit(offset, destination.Length, bar.Bar.Size)])
                    : Errno.EINVAL;
            case RegionIndex.Rom:
                return ReadRom(offset, destination);
            case RegionIndex.Config:
                return _config.Read(offset, destination);
            case RegionIndex.Vga:
                return _vga is not null && VgaRegion.Fit(offset, destination.Length) is > 0 and var count
                    ? ReadBar(_vga, offset, destination[..count])
                    : Errno.EINVAL;
            default:
                return Device.Read(region, offset, destination);
        }
    }

    public VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return 0;
        switch (region)
        {
            case >= RegionIndex.Bar0 and <= RegionIndex.Bar5:
                return _bars[region] is { } bar && offset < bar.Bar.Size
                    ? WriteBar(bar, offset, source[..Fit(offset, source.Length, bar.Bar.Size)])
                    : Errno.EINVAL;
            case RegionIndex.Config:
                return _config.Write(offset, source);
            case RegionIndex.Vga:
                return _vga is not null && VgaRegion.Fit(offset, source.Length) is > 0 and var count
                    ? WriteBar(_vga, offset, source[..count])
                    : Errno.EINVAL;
            default:
                return Device.Write(region, offset, source);
        }
    }

    private VfioResult<int> ReadBar(FunctionBar bar, ulong offset, Span<byte> destination)
    {
        _gate.EnterShared();
        try
        {
            if (!Answers(bar, offset, destination.Length))
                return Errno.EIO;
            bar.Read(offset, destination);
        }
        finally
        {
            _gate.ExitShared();
        }

        return destination.Length;
    }

    private VfioResult<int> WriteBar(FunctionBar bar, ulong offset, ReadOnlySpan<byte> source)
    {
        _gate.EnterShared();
        try
        {
            if (!Answers(bar, offset, source.Length))
                return Errno.EIO;
            bar.Write(offset, source);
        }
        finally
        {
            _gate.ExitShared();
        }

        return source.Length;
    }

    /// <summary>Whether an access is answered; the gate is held. What is without the device, is whether or not it decodes.</summary>
    public bool Answers(FunctionBar bar, ulong offset, int count)
        => (!bar.IsMemory && !_gate.IsOver) || _memoryEnabled() || bar.IsExcluded(offset, count);

    private VfioResult<int> ReadRom(ulong offset, Span<byte> destination)
    {
        if (_rom is null || offset >= _rom.Size)
            return Errno.EINVAL;
        var count = Fit(offset, destination.Length, _rom.Size);
        _gate.EnterShared();
        try
        {
            // The kernel maps the ROM for each read, and a ROM that does not decode has no image to map. A copy in memory can always be
            // mapped; that a client turned memory off shows when it is read.
            if (!_rom.HasImage || _gate.IsOver || (!_rom.IsShadow && !_memoryEnabled()))
                return Errno.ENOMEM;
            if (!_memoryEnabled() && !_rom.IsExcluded(offset, count))
                return Errno.EIO;
            _rom.Read(offset, destination[..count]);
        }
        finally
        {
            _gate.ExitShared();
        }

        return count;
    }

    private RegionInfo BarInfo(int index, IPciBar bar)
    {
        var info = new RegionInfo { Size = bar.Size, Flags = RegionFlags.Read | RegionFlags.Write };
        if (Mapping(bar) is not { Areas.Count: > 0 } mapping)
            return info;
        var whole = mapping.Areas is [{ Offset: 0 } area] && area.Size >= bar.Size;
        return info with
        {
            Flags = info.Flags | RegionFlags.Mmap,
            SparseAreas = whole ? null : mapping.Areas,
            MsixMappable = whole && index == _msix.Bar,
        };
    }

    // I/O space is not memory: there is nothing to map, whatever a back end says.
    private static RegionMapping? Mapping(IPciBar? bar) => bar is { Kind: not BarKind.Io } ? bar.Mapping : null;

    private static int Fit(ulong offset, int count, ulong size) => (int)Math.Min((ulong)count, size - offset);
}
