using System.Globalization;

namespace Vfio;

/// <summary>Where a function sits: segment, bus, device and function, written <c>0000:3b:00.2</c>.</summary>
/// <param name="Segment">PCI segment (domain).</param>
/// <param name="Bus">Bus number.</param>
/// <param name="Device">Device number, 0 to 31.</param>
/// <param name="Function">Function number, 0 to 7.</param>
public readonly record struct PciAddress(ushort Segment, byte Bus, byte Device, byte Function) : IComparable<PciAddress>, ISpanParsable<PciAddress>
{
    /// <summary>The routing identifier: bus, device and function in 16 bits.</summary>
    public ushort RoutingId => (ushort)((Bus << 8) | (Device << 3) | Function);

    /// <summary>The address of this segment with another routing identifier.</summary>
    /// <param name="routingId">Bus, device and function in 16 bits.</param>
    public PciAddress WithRoutingId(ushort routingId) => new(Segment, (byte)(routingId >> 8), (byte)((routingId >> 3) & 0x1F), (byte)(routingId & 7));

    /// <inheritdoc/>
    public int CompareTo(PciAddress other) => Key.CompareTo(other.Key);

    /// <summary>Orders addresses by segment, then by routing identifier.</summary>
    public static bool operator <(PciAddress left, PciAddress right) => left.Key < right.Key;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >(PciAddress left, PciAddress right) => left.Key > right.Key;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator <=(PciAddress left, PciAddress right) => left.Key <= right.Key;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >=(PciAddress left, PciAddress right) => left.Key >= right.Key;

    private uint Key => ((uint)Segment << 16) | RoutingId;

    /// <inheritdoc/>
    public override string ToString() => $"{Segment:x4}:{Bus:x2}:{Device:x2}.{Function:x}";

    /// <inheritdoc cref="Parse(ReadOnlySpan{char}, IFormatProvider?)"/>
    public static PciAddress Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <summary>Parses <c>0000:3b:00.2</c>, or <c>3b:00.2</c> for segment 0.</summary>
    /// <param name="s">The text.</param>
    /// <param name="provider">Not used.</param>
    /// <exception cref="FormatException">The text is no address.</exception>
    public static PciAddress Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null)
        => TryParse(s, provider, out var address) ? address : throw new FormatException($"'{s}' is not a PCI address; one looks like 0000:3b:00.2");

    /// <inheritdoc cref="TryParse(ReadOnlySpan{char}, IFormatProvider?, out PciAddress)"/>
    public static bool TryParse(string? s, IFormatProvider? provider, out PciAddress result) => TryParse(s.AsSpan(), provider, out result);

    /// <summary>Parses an address if the text is one.</summary>
    /// <param name="s">The text.</param>
    /// <param name="provider">Not used.</param>
    /// <param name="result">The address.</param>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out PciAddress result)
    {
        result = default;
        var dot = s.LastIndexOf('.');
        if (dot < 0 || !TryHex(s[(dot + 1)..], 7, out var function))
            return false;
        s = s[..dot];
        var colon = s.LastIndexOf(':');
        if (colon < 0 || !TryHex(s[(colon + 1)..], 0x1F, out var device))
            return false;
        s = s[..colon];
        uint segment = 0;
        colon = s.LastIndexOf(':');
        if (colon >= 0 && !TryHex(s[..colon], 0xFFFF, out segment))
            return false;
        if (!TryHex(s[(colon + 1)..], 0xFF, out var bus))
            return false;
        result = new((ushort)segment, (byte)bus, (byte)device, (byte)function);
        return true;
    }

    private static bool TryHex(ReadOnlySpan<char> text, uint max, out uint value)
        => uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value) && value <= max;
}
