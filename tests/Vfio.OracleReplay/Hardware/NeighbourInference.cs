using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>Where a function sat: behind a port, whose slot or bus can be reset with all that is on it, or on a root bus.</summary>
internal static class NeighbourInference
{
    private const int Most = 256;

    /// <summary>
    /// How many functions a reset of its slot or bus takes along, itself included; null where there is none. PCI Express says in its type
    /// whether a function is behind a port; all else is in no row but hot_reset_info.
    /// </summary>
    public static int? Of(RecordedDevice device, RecordedHardware hardware)
    {
        var row = device.Of("hot_reset_info", "errno", "count").FirstOrDefault();
        var told = row is not null && row.Number("errno") == 0 ? (int)Math.Clamp(row.Number("count"), 1, Most) : (int?)null;
        if (hardware.Standard(Registers.Express) is > 0 and var express)
        {
            switch (ConfigBytes.Load(hardware.BeforeOpen, express + Registers.CapabilityFlags, 2) & Registers.ExpressTypeMask)
            {
                case Registers.IntegratedEndpoint:
                    return null;
                case Registers.Endpoint or Registers.LegacyEndpoint:
                    return told ?? 1;
            }
        }

        if (told is not null)
            hardware.Notes.Add("conventional PCI does not say where a function sits: that it is no root bus is taken from hot_reset_info");
        return told;
    }
}
