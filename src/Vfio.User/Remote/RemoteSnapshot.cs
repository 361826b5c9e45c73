using System.Buffers.Binary;

namespace Vfio.User.Remote;

/// <summary>What was learnt of a remote device at discovery, and does not change while it exists.</summary>
internal sealed class RemoteSnapshot
{
    private const int StandardSize = 256, ExtendedSize = 4096;
    private readonly byte[] _config;
    private readonly RegionInfo[] _regions;
    private readonly IrqInfo[] _irqs;

    private RemoteSnapshot(bool resets, byte[] config, RegionInfo[] regions, IrqInfo[] irqs)
    {
        Resets = resets;
        _config = config;
        _regions = regions;
        _irqs = irqs;
    }

    /// <summary>Whether it can be reset.</summary>
    public bool Resets { get; }

    public int ConfigSize => _config.Length;

    /// <summary>Its ids. Source: PCI Local Bus 3.0, 6.1.</summary>
    public PciId Id => new(
        (ushort)Config(0x00, 2),
        (ushort)Config(0x02, 2),
        (ushort)Config(0x2C, 2),
        (ushort)Config(0x2E, 2),
        Config(0x08, 4) >> 8,
        _config[0x08]);

    /// <summary>Asks an open device.</summary>
    /// <returns>EOPNOTSUPP: no PCI device. ENODEV: nothing answers. EPROTO: no configuration space of a size that there is.</returns>
    public static VfioResult<RemoteSnapshot> Take(VfioDevice device)
    {
        var info = device.Info;
        if (!info.Flags.HasFlag(DeviceFlags.Pci) || info.RegionCount <= RegionIndex.Config)
            return Errno.EOPNOTSUPP;
        var regions = new RegionInfo[RegionIndex.Config + 1];
        for (var i = 0; i < regions.Length; i++)
            regions[i] = device.GetRegionInfo(i) is { IsSuccess: true, Value: { } region } ? region : RegionInfo.Absent;
        var irqs = new IrqInfo[IrqInfo.IndexCount];
        for (var i = 0; i < Math.Min(irqs.Length, info.IrqCount); i++)
            irqs[i] = device.GetIrqInfo(i) is { IsSuccess: true } irq ? irq.Value : default;
        if (regions[RegionIndex.Config].Size is not (StandardSize or ExtendedSize))
            return Errno.EPROTO;
        var config = new byte[regions[RegionIndex.Config].Size];
        var read = device.Read(RegionIndex.Config, 0, config);
        if (!read.IsSuccess || read.Value != config.Length)
            return read.IsSuccess ? Errno.EPROTO : read.Error;
        if (BinaryPrimitives.ReadUInt16LittleEndian(config) == ushort.MaxValue)
            return Errno.ENODEV;
        return new RemoteSnapshot(info.Flags.HasFlag(DeviceFlags.Reset), config, regions, irqs);
    }

    /// <summary>Configuration space as it was.</summary>
    public uint Config(int offset, int width) => width switch
    {
        1 => _config[offset],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(_config.AsSpan(offset)),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(_config.AsSpan(offset)),
    };

    /// <summary>BAR 0 to the ROM.</summary>
    public RegionInfo Region(int index) => index is >= RegionIndex.Bar0 and <= RegionIndex.Rom ? _regions[index] : RegionInfo.Absent;

    public IrqInfo Irq(IrqIndex index) => (uint)index < (uint)_irqs.Length ? _irqs[(int)index] : default;
}
