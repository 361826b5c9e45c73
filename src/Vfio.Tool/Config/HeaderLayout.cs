namespace Vfio.Tool.Config;

/// <summary>The registers of a type 0 header. Source: PCI Express Base Specification 6.0, 7.5.1.</summary>
internal static class HeaderLayout
{
    public const int StatusOffset = 0x06;
    public const int CapabilityListBit = 0x10;
    public const int BarOffset = 0x10;
    public const int BarCount = 6;
    public const int CapabilityPointer = 0x34;
    public const int ExtendedStart = 0x100;

    public static readonly RegisterField[] Registers =
    [
        new("Vendor ID", 0x00, 2),
        new("Device ID", 0x02, 2),
        new(
            "Control",
            0x04,
            2,
            new("I/O", 0),
            new("Mem", 1),
            new("BusMaster", 2),
            new("SpecCycle", 3),
            new("MemWINV", 4),
            new("VGASnoop", 5),
            new("ParErr", 6),
            new("SERR", 8),
            new("FastB2B", 9),
            new("DisINTx", 10)),
        new(
            "Status",
            StatusOffset,
            2,
            new("INTx", 3),
            new("Cap", 4),
            new("66MHz", 5),
            new("FastB2B", 7),
            new("ParErr", 8),
            new("DEVSEL", 9, 2, ["fast", "medium", "slow"]),
            new("TAbort>", 11),
            new("TAbort<", 12),
            new("MAbort", 13),
            new("SERR>", 14),
            new("PERR", 15)),
        new("Revision ID", 0x08, 1),
        new("Interface", 0x09, 1),
        new("Sub-class", 0x0A, 1),
        new("Base class", 0x0B, 1),
        new("Cache line", 0x0C, 1),
        new("Latency", 0x0D, 1),
        new("Header type", 0x0E, 1, new BitField("Layout", 0, 7), new BitField("Multi-function", 7)),
        new("Subsystem vendor", 0x2C, 2),
        new("Subsystem", 0x2E, 2),
        new("Expansion ROM", 0x30, 4),
        new("Interrupt line", 0x3C, 1),
        new("Interrupt pin", 0x3D, 1, new BitField("Pin", 0, 8, ["none", "A", "B", "C", "D"])),
    ];
}
