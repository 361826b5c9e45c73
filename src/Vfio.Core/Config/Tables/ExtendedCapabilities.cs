using static Vfio.Core.Config.CapabilityRegisters;
using static Vfio.Core.Config.CapabilityRule;
using static Vfio.Core.Config.RegisterRule;

namespace Vfio.Core.Config;

/// <summary>
/// The extended capabilities that a client sees; all others are hidden. Source: the kernel's <c>pci_ext_cap_length</c> and
/// <c>init_pci_ext_cap_*_perm</c>.
/// </summary>
internal static class ExtendedCapabilities
{
    private static readonly RegisterRule HeaderIsVirtual = new(0, 4, All, 0);

    // Control last: it is what makes the VFs appear.
    private static readonly (int Offset, int Width)[] SrIovSaved =
    [
        (SrIov.PageSize, 4), .. Enumerable.Range(0, (SrIov.BarEnd - SrIov.Bar0) / 4).Select(i => (SrIov.Bar0 + (4 * i), 4)),
        (SrIov.VfCount, 2), (SrIov.Control, 2),
    ];

    public static IReadOnlyDictionary<ushort, CapabilityRule> Rules { get; } = new CapabilityRule[]
    {
        new(Aer.Id, "Advanced Error Reporting")
        {
            Length = Fixed(0x2C),
            Registers = Rules(
                HeaderIsVirtual,
                new(Aer.UncorrectableStatus, 4, 0, Aer.UncorrectableBits), new(Aer.UncorrectableMask, 4, 0, Aer.UncorrectableBits),
                new(Aer.UncorrectableSeverity, 4, 0, Aer.UncorrectableBits),
                new(Aer.CorrectableStatus, 4, 0, Aer.CorrectableBits), new(Aer.CorrectableMask, 4, 0, Aer.CorrectableBits),
                new(Aer.Control, 4, 0, Aer.EcrcBits)),
            Saved = Registers32(Aer.UncorrectableMask, Aer.UncorrectableSeverity, Aer.CorrectableMask, Aer.Control),
        },
        new(0x02, "Virtual Channel") { LengthReach = 12, Length = VirtualChannelLength },
        new(0x03, "Device Serial Number") { Length = Fixed(12) },
        // The writable byte is the one that the kernel marks: of the data register, not of the selector.
        new(0x04, "Power Budgeting") { Length = Fixed(16), Registers = Rules(HeaderIsVirtual, new(8, 1, 0, All)) },
        new(0x08, "Multi-Function Virtual Channel") { LengthReach = 12, Length = VirtualChannelLength },
        new(0x09, "Virtual Channel with MFVC") { LengthReach = 12, Length = VirtualChannelLength },
        new(0x0B, "Vendor-Specific") { LengthReach = 8, Length = LengthInSecondDword, RawWrites = true },
        new(0x0D, "Access Control Services") { LengthReach = 8, Length = AcsLength, Saved = Registers16(6) },
        new(0x0E, "Alternative Routing-ID") { Length = Fixed(8) },
        new(0x0F, "Address Translation Services") { Length = Fixed(8), Saved = Registers16(6) },
        new(SrIov.Id, "Single Root I/O Virtualization") { Length = Fixed(0x40), Saved = (_, _) => SrIovSaved },
        new(0x12, "Multicast") { Length = Fixed(40) },
        new(0x13, "Page Request Interface") { Length = Fixed(16) },
        new(0x15, "Resizable BAR") { LengthReach = 12, Length = (function, start) => 4 + ((int)((function.ReadConfig(start + 8, 1) & 0xE0) >> 5) * 8) },
        new(0x16, "Dynamic Power Allocation") { LengthReach = 8, Length = (function, start) => 16 + (int)(function.ReadConfig(start + 4, 1) & 0x1F) + 1 },
        new(0x17, "TLP Processing Hints") { LengthReach = 8, Length = TphLength },
        new(0x18, "Latency Tolerance Reporting") { Length = Fixed(8), Saved = Registers32(4) },
        new(0x23, "Designated Vendor-Specific") { LengthReach = 8, Length = LengthInSecondDword, RawWrites = true },
    }.ToDictionary(rule => (ushort)rule.Id);

    private static int LengthInSecondDword(IPciFunction function, int start) => (int)(function.ReadConfig(start + 4, 4) >> 20);

    private static int VirtualChannelLength(IPciFunction function, int start)
    {
        var extendedCount = (int)(function.ReadConfig(start + 4, 4) & 7);
        var arbitration = function.ReadConfig(start + 8, 4);
        var length = 16 + ((1 + extendedCount) * 12);
        var phases = (arbitration & 8) != 0 ? 128 : (arbitration & 4) != 0 ? 64 : (arbitration & 2) != 0 ? 32 : 0;
        return phases == 0 ? length : ((length + 15) & ~15) + (phases * 4 / 8);
    }

    private static int AcsLength(IPciFunction function, int start)
    {
        const uint EgressControl = 0x20;
        if ((function.ReadConfig(start + 4, 1) & EgressControl) == 0)
            return 8;
        var bits = (int)function.ReadConfig(start + 5, 1);
        return 8 + ((bits == 0 ? 256 : (bits + 31) & ~31) / 8);
    }

    private static int TphLength(IPciFunction function, int start)
    {
        const uint LocationMask = 0x600, InCapability = 0x200, SizeMask = 0x7FF;
        var requester = function.ReadConfig(start + 4, 4);
        return (requester & LocationMask) == InCapability ? 12 + ((int)((requester >> 16) & SizeMask) * 2) + 2 : 12;
    }
}
