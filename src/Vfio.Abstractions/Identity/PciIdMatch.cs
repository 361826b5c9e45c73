using System.Globalization;
using System.Text;

namespace Vfio;

/// <summary>
/// One entry of a driver's id table: each field a value or any. Prints and parses the kernel's alias,
/// <c>vfio_pci:v...d...sv...sd...bc...sc...i...</c>.
/// </summary>
/// <remarks>
/// Source: the kernel's <c>pci_device_id</c> and <c>scripts/mod/file2alias.c</c>; reference order of the seven fields is the alias's.
/// </remarks>
public sealed record PciIdMatch
{
    /// <summary>The alias prefix of entries that match only a function whose driver was chosen for it.</summary>
    public const string OverridePrefix = "vfio_pci:";

    private const string PlainPrefix = "pci:";

    /// <summary>The entry that matches everything.</summary>
    public static PciIdMatch Any { get; } = new() { OverrideOnly = true };

    /// <summary>Vendor id, or null for any.</summary>
    public ushort? Vendor { get; init; }

    /// <summary>Device id, or null for any.</summary>
    public ushort? Device { get; init; }

    /// <summary>Subsystem vendor id, or null for any.</summary>
    public ushort? SubsystemVendor { get; init; }

    /// <summary>Subsystem id, or null for any.</summary>
    public ushort? SubsystemDevice { get; init; }

    /// <summary>Class code, compared under <see cref="ClassMask"/>.</summary>
    public uint ClassCode { get; init; }

    /// <summary>Which bits of the class code count; 0 for any class.</summary>
    public uint ClassMask { get; init; }

    /// <summary>Whether the entry is for functions in vfio mode only (the kernel's <c>PCI_DRIVER_OVERRIDE_DEVICE_VFIO</c>).</summary>
    public bool OverrideOnly { get; init; } = true;

    /// <summary>How many of the alias's seven fields are <c>*</c>; fewer is the better match. 0 to 7.</summary>
    public int Wildcards
        => Count(Vendor is null) + Count(Device is null) + Count(SubsystemVendor is null) + Count(SubsystemDevice is null)
            + Count(!ClassByteCounts(16)) + Count(!ClassByteCounts(8)) + Count(!ClassByteCounts(0));

    /// <summary>Whether a function's identity fits this entry.</summary>
    /// <param name="id">The identity.</param>
    public bool Matches(in PciId id)
        => (Vendor ?? id.Vendor) == id.Vendor && (Device ?? id.Device) == id.Device
            && (SubsystemVendor ?? id.SubsystemVendor) == id.SubsystemVendor && (SubsystemDevice ?? id.SubsystemDevice) == id.SubsystemDevice
            && ((id.ClassCode ^ ClassCode) & ClassMask) == 0;

    /// <summary>The alias, as <c>modules.alias</c> has it.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(OverrideOnly ? OverridePrefix : PlainPrefix);
        Field("v", Vendor, 8);
        Field("d", Device, 8);
        Field("sv", SubsystemVendor, 8);
        Field("sd", SubsystemDevice, 8);
        Field("bc", ClassByteCounts(16) ? (ClassCode >> 16) & 0xFF : null, 2);
        Field("sc", ClassByteCounts(8) ? (ClassCode >> 8) & 0xFF : null, 2);
        Field("i", ClassByteCounts(0) ? ClassCode & 0xFF : null, 2);
        return text.ToString();

        void Field(string name, uint? value, int digits)
            => text.Append(name).Append(value is { } v ? v.ToString("X" + digits, CultureInfo.InvariantCulture) : "*");
    }

    /// <summary>Parses an alias.</summary>
    /// <param name="alias">The text, with either prefix.</param>
    /// <param name="match">The entry.</param>
    /// <returns>Whether the text is an alias.</returns>
    public static bool TryParse(string alias, out PciIdMatch match)
    {
        match = Any;
        var overrideOnly = alias.StartsWith(OverridePrefix, StringComparison.Ordinal);
        if (!overrideOnly && !alias.StartsWith(PlainPrefix, StringComparison.Ordinal))
            return false;
        var rest = alias.AsSpan(overrideOnly ? OverridePrefix.Length : PlainPrefix.Length);
        if (!Take(ref rest, "v", "d", 0xFFFF, out var vendor) || !Take(ref rest, "d", "sv", 0xFFFF, out var device)
            || !Take(ref rest, "sv", "sd", 0xFFFF, out var subVendor) || !Take(ref rest, "sd", "bc", 0xFFFF, out var subDevice)
            || !Take(ref rest, "bc", "sc", 0xFF, out var baseClass) || !Take(ref rest, "sc", "i", 0xFF, out var subClass)
            || !Take(ref rest, "i", "", 0xFF, out var programming))
        {
            return false;
        }

        match = new()
        {
            OverrideOnly = overrideOnly,
            Vendor = (ushort?)vendor,
            Device = (ushort?)device,
            SubsystemVendor = (ushort?)subVendor,
            SubsystemDevice = (ushort?)subDevice,
            ClassCode = ((baseClass ?? 0) << 16) | ((subClass ?? 0) << 8) | (programming ?? 0),
            ClassMask = (baseClass is null ? 0 : 0xFF0000u) | (subClass is null ? 0 : 0xFF00u) | (programming is null ? 0 : 0xFFu),
        };
        return true;
    }

    private static bool Take(ref ReadOnlySpan<char> rest, string name, string next, uint max, out uint? value)
    {
        value = null;
        if (!rest.StartsWith(name, StringComparison.Ordinal))
            return false;
        rest = rest[name.Length..];
        var end = next.Length == 0 ? rest.Length : rest.IndexOf(next, StringComparison.Ordinal);
        if (end <= 0)
            return false;
        var field = rest[..end];
        rest = rest[end..];
        if (field is "*")
            return true;
        if (!uint.TryParse(field, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var parsed) || parsed > max)
            return false;
        value = parsed;
        return true;
    }

    private bool ClassByteCounts(int shift) => ((ClassMask >> shift) & 0xFF) == 0xFF;

    private static int Count(bool any) => any ? 1 : 0;
}
