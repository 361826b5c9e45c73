using static Vfio.Core.Config.HeaderRegisters;
using static Vfio.Core.Config.RegisterRule;

namespace Vfio.Core.Config;

/// <summary>The permissions of the configuration header. Source: the kernel's <c>init_pci_cap_basic_perm</c>.</summary>
internal static class HeaderRules
{
    public static IReadOnlyList<RegisterRule> Registers { get; } =
    [
        new(Vendor, 2, All, 0),
        new(Device, 2, All, 0),
        new(Command, 2, CommandIntxDisable, All),
        new(Status, 2, StatusCapabilityList, 0),
        new(CacheLine, 1, 0, All),
        new(Latency, 1, 0, All),
        new(Bist, 1, 0, All),
        new(Bar0, 4, All, All),
        new(Bar0 + 4, 4, All, All),
        new(Bar0 + 8, 4, All, All),
        new(Bar0 + 12, 4, All, All),
        new(Bar0 + 16, 4, All, All),
        new(Bar0 + 20, 4, All, All),
        new(Rom, 4, All, All),
        new(CapabilityPointer, 1, All, 0),
        new(InterruptLine, 1, All, All),
        new(InterruptPin, 1, All, 0),
    ];

    /// <summary>What a reset of the function loses, in the order of restoring: COMMAND last, when the BARs are in place again.</summary>
    public static IReadOnlyList<(int Offset, int Width)> Saved { get; } =
    [
        (InterruptLine, 1), (Rom, 4),
        (Bar0 + 20, 4), (Bar0 + 16, 4), (Bar0 + 12, 4), (Bar0 + 8, 4), (Bar0 + 4, 4), (Bar0, 4),
        (Latency, 1), (CacheLine, 1), (Command, 2),
    ];
}
