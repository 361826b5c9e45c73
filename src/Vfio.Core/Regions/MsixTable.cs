using Vfio.Core.Config;

namespace Vfio.Core.Regions;

/// <summary>Where the function keeps its MSI-X table: no client reaches it, because the messages in it are the host's.</summary>
/// <param name="Bar">The BAR; -1 if the function has no MSI-X.</param>
/// <param name="Start">First byte.</param>
/// <param name="End">First byte after it.</param>
internal readonly record struct MsixTable(int Bar, ulong Start, ulong End)
{
    public static MsixTable Of(IPciFunction function, ConfigMap map)
    {
        var at = map.Standard(CapabilityRegisters.Msix.Id);
        if (at == 0)
            return new(-1, 0, 0);
        var table = function.ReadConfig(at + CapabilityRegisters.Msix.Table, 4);
        var entries = (function.ReadConfig(at + CapabilityRegisters.Msix.Control, 2) & CapabilityRegisters.Msix.TableSizeMask) + 1;
        var start = (ulong)(table & ~CapabilityRegisters.Msix.BarMask);
        return new((int)(table & CapabilityRegisters.Msix.BarMask), start, start + (entries * (ulong)CapabilityRegisters.Msix.EntrySize));
    }
}
