using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>How many interrupts a function has, from its registers, and how many of them the recording's host could give.</summary>
internal sealed record InterruptInference(int Intx, int Msi, int Msix, bool DynamicMsix, IReadOnlyDictionary<IrqIndex, int> Obtainable)
{
    public static InterruptInference Of(RecordedDevice device, RecordedHardware hardware, IReadOnlyList<RecordedDevice> all)
    {
        var pin = hardware.BeforeOpen[Registers.InterruptPin] != 0 && !hardware.IsVirtualFunction;
        if (pin && hardware.Shown[Registers.InterruptPin] == 0)
        {
            pin = false;
            hardware.Notes.Add("it has a pin that the recording's host had not connected: taken from virtual_config");
        }

        return new(pin ? 1 : 0, MsiOf(hardware), MsixOf(hardware), IsDynamic(hardware, all), Limits(device, hardware));
    }

    private static int MsiOf(RecordedHardware hardware)
        => hardware.Standard(Registers.Msi) is > 0 and var at
            ? 1 << (int)((ConfigBytes.Load(hardware.BeforeOpen, at + Registers.CapabilityFlags, 2) & Registers.MsiQueueCapable) >> 1) : 0;

    private static int MsixOf(RecordedHardware hardware)
        => hardware.Standard(Registers.Msix) is > 0 and var at
            ? (int)(ConfigBytes.Load(hardware.BeforeOpen, at + Registers.CapabilityFlags, 2) & Registers.MsixTableSize) + 1 : 0;

    // Whether MSI-X vectors can be added later is a property of the host's interrupt controller, and so the same for all its functions.
    private static bool IsDynamic(RecordedHardware hardware, IReadOnlyList<RecordedDevice> all)
    {
        var flags = all.SelectMany(other => other.Of("irq_info", "index", "count", "flags"))
            .Where(row => row.Number("index") == (long)IrqIndex.Msix && row.Number("count") > 0)
            .Select(row => (IrqFlags)row.Number("flags")).ToList();
        if (flags.Count == 0 || flags.Exists(f => !f.HasFlag(IrqFlags.NoResize)))
            return true;
        hardware.Notes.Add("its host's MSI-X could not grow: taken from irq_info");
        return false;
    }

    // A positive answer is how many vectors the host had to give.
    private static Dictionary<IrqIndex, int> Limits(RecordedDevice device, RecordedHardware hardware)
    {
        var limits = new Dictionary<IrqIndex, int>();
        foreach (var row in device.Of("set_irqs", "index", "errno"))
        {
            var index = (IrqIndex)row.Number("index");
            if (row.Number("errno") is > 0 and <= int.MaxValue and var obtainable && limits.TryAdd(index, (int)obtainable))
                hardware.Notes.Add($"its host had no more than {obtainable} vectors for {index}: taken from a set_irqs row");
        }

        return limits;
    }
}
