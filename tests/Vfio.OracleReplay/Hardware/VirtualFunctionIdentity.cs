using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>
/// What the registers of a VF leave open: who it is, and what its BARs decode. Its PF's SR-IOV capability says it, and where the recording
/// has not got the PF, what a client saw does.
/// </summary>
internal sealed class VirtualFunctionIdentity
{
    private const int SrIov = 0x10, VirtualDevice = 0x1A, FirstBar = 0x24, CapabilityLength = 0x40, ClassLength = 3, SubsystemLength = 4;
    private const uint BarFlags = 0xF;
    private readonly uint[] _bars;

    private VirtualFunctionIdentity(uint vendor, uint device, IEnumerable<uint> bars)
    {
        (Vendor, Device) = ((ushort)vendor, (ushort)device);
        _bars = [.. bars];
    }

    public ushort Vendor { get; }

    public ushort Device { get; }

    /// <summary>The bits of a BAR register that say what it decodes.</summary>
    public uint Bar(int index) => _bars[index];

    /// <summary>Concludes it for a VF.</summary>
    /// <param name="hardware">The VF.</param>
    /// <param name="all">Every function of the recording.</param>
    public static VirtualFunctionIdentity Of(RecordedHardware hardware, IReadOnlyList<RecordedDevice> all)
    {
        var found = all.Select(other => OfPhysical(other, hardware.BeforeOpen)).OfType<VirtualFunctionIdentity>().ToList();
        if (found.Count > 0 && found.TrueForAll(found[0].IsSame))
            return found[0];
        hardware.Notes.Add("a VF (its identity registers read FFFFh), and the recording has no PF that must be its: vendor, device and what"
            + " its BARs decode are taken from virtual_config, the only row that has them");
        var shown = hardware.Shown;
        return new(ConfigBytes.Load(shown, 0, 2), ConfigBytes.Load(shown, 2, 2), Bars(shown, Registers.Bar0));
    }

    // A VF is of its PF's class and subsystem.
    private static VirtualFunctionIdentity? OfPhysical(RecordedDevice other, byte[] virtualFunction)
    {
        if (other.Of("raw_config") is not [var row, ..] || !row.TryBytes("bytes", out var config) || config.Length < Registers.Header
            || !Same(config, virtualFunction, Registers.ClassCode, ClassLength)
            || !Same(config, virtualFunction, Registers.SubsystemVendor, SubsystemLength)
            || ConfigBytes.Find(ConfigBytes.Extended(config), SrIov) is not (> 0 and var at) || at + CapabilityLength > config.Length)
            return null;
        return new(ConfigBytes.Load(config, 0, 2), ConfigBytes.Load(config, at + VirtualDevice, 2), Bars(config, at + FirstBar));
    }

    private static bool Same(byte[] left, byte[] right, int at, int length)
        => left.AsSpan(at, length).SequenceEqual(right.AsSpan(at, length));

    private static IEnumerable<uint> Bars(byte[] config, int at)
        => Enumerable.Range(0, RegionIndex.Bar5 + 1).Select(i => ConfigBytes.Load(config, at + (4 * i), 4) & BarFlags);

    private bool IsSame(VirtualFunctionIdentity other)
        => (Vendor, Device) == (other.Vendor, other.Device) && _bars.AsSpan().SequenceEqual(other._bars);
}
