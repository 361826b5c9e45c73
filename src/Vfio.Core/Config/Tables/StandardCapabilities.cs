using static Vfio.Core.Config.CapabilityRegisters;
using static Vfio.Core.Config.CapabilityRule;
using static Vfio.Core.Config.RegisterRule;

namespace Vfio.Core.Config;

/// <summary>
/// The standard capabilities that a client sees; all others are hidden. Source: the kernel's <c>pci_cap_length</c> and
/// <c>init_pci_cap_*_perm</c>.
/// </summary>
internal static class StandardCapabilities
{
    private static readonly RegisterRule NextIsVirtual = new(Next, 1, All, 0);

    public static IReadOnlyDictionary<byte, CapabilityRule> Rules { get; } = new CapabilityRule[]
    {
        new(Pm.Id, "PM")
        {
            Length = Fixed(8),
            // PME never reaches a guest: its bits are virtual, read-only and 0.
            Registers = Rules(
                NextIsVirtual, new(Pm.Capabilities, 2, Pm.PmeSupport, 0), new(Pm.Control, 4, Pm.PmeBits, ~(Pm.PmeBits | Pm.StateMask))),
            Trap = (context, block) => new PowerManagementTrap(context, block),
        },
        new(0x02, "AGP") { Length = Fixed(12) },
        new(Vpd.Id, "VPD")
        {
            Length = Fixed(8),
            Registers = Rules(NextIsVirtual, new(Vpd.Address, 2, All, All), new(Vpd.Data, 4, All, All)),
            Trap = (context, block) => new VpdTrap(context, block),
        },
        new(Msi.Id, "MSI")
        {
            Length = MsiLength, Registers = MsiRules, Saved = MsiSaved, Trap = (context, block) => new MsiTrap(context, block),
        },
        new(PciX.Id, "PCI-X")
        {
            Length = (function, start) => (function.ReadConfig(start + PciX.Command, 2) & 0x3000) != 0 ? 24 : 8,
            Registers = Rules(NextIsVirtual, new(PciX.Command, 2, 0, All), new(PciX.EccControl, 4, 0, All)),
            Saved = Registers16(PciX.Command),
        },
        new(0x08, "HyperTransport") { Length = (function, start) => (function.ReadConfig(start + 3, 1) & 0xE0) != 0 ? 24 : 28 },
        new(0x09, "Vendor-specific") { Length = (function, start) => (int)function.ReadConfig(start + 2, 1), RawWrites = true },
        new(Express.Id, "PCI Express")
        {
            Length = ExpressLength,
            Registers = Rules(
                NextIsVirtual,
                new(Express.DeviceControl, 2, Express.InitiateFlr | Express.MaxReadRequest | Express.MaxPayload, ~Express.PhantomFunctions),
                new(Express.DeviceControl2, 2, 0, ~Express.AriForwarding)),
            Saved = (function, start) => ExpressLength(function, start) > Express.DeviceControl2
                ? [(Express.DeviceControl, 2), (Express.LinkControl, 2), (Express.DeviceControl2, 2), (Express.LinkControl2, 2)]
                : [(Express.DeviceControl, 2)],
            Trap = (context, block) => new ExpressTrap(context, block),
        },
        // The control word is read-only: MSI-X is enabled by VFIO_DEVICE_SET_IRQS alone.
        new(Msix.Id, "MSI-X") { Length = Fixed(12), Saved = Registers16(Msix.Control) },
        new(0x12, "SATA") { LengthReach = 8, Length = (function, start) => (function.ReadConfig(start + 4, 1) & 0xF) == 0xF ? 16 : 8 },
        new(Af.Id, "Advanced Features")
        {
            Length = Fixed(6),
            Registers = Rules(NextIsVirtual, new(Af.Control, 1, Af.InitiateFlr, Af.InitiateFlr)),
            Trap = (context, block) => new AfTrap(context, block),
        },
    }.ToDictionary(rule => rule.Id);

    private static int ExpressLength(IPciFunction function, int start)
    {
        var flags = function.ReadConfig(start + Express.Flags, 2);
        var withoutLink = (flags & Express.TypeMask) == Express.TypeRootComplexEndpoint;
        return (flags & Express.VersionMask) == 1 ? (withoutLink ? 12 : 20) : (withoutLink ? 0x2C : 0x34);
    }

    private static int MsiLength(IPciFunction function, int start)
    {
        var flags = function.ReadConfig(start + Msi.Flags, 2);
        return Msi.BaseLength + ((flags & Msi.Is64) != 0 ? Msi.Length64 : 0) + ((flags & Msi.Maskable) != 0 ? Msi.LengthMask : 0);
    }

    private static List<RegisterRule> MsiRules(IPciFunction function, int start)
    {
        var flags = function.ReadConfig(start + Msi.Flags, 2);
        // Address and data are the guest's own: the hardware holds the host's message.
        List<RegisterRule> rules =
            [NextIsVirtual, new(Msi.Flags, 1, All, All), new(Msi.AddressLow, 4, All, All), new(Msi.Data(flags), 2, All, All)];
        if ((flags & Msi.Is64) != 0)
            rules.Add(new(Msi.AddressHigh, 4, All, All));
        if ((flags & Msi.Maskable) != 0)
            rules.AddRange([new(Msi.Mask(flags), 4, 0, All), new(Msi.Pending(flags), 4, 0, All)]);
        return rules;
    }

    private static List<(int Offset, int Width)> MsiSaved(IPciFunction function, int start)
    {
        var flags = function.ReadConfig(start + Msi.Flags, 2);
        List<(int Offset, int Width)> saved = [(Msi.AddressLow, 4), (Msi.Data(flags), 2)];
        if ((flags & Msi.Is64) != 0)
            saved.Add((Msi.AddressHigh, 4));
        if ((flags & Msi.Maskable) != 0)
            saved.Add((Msi.Mask(flags), 4));
        saved.Add((Msi.Flags, 2));
        return saved;
    }
}
