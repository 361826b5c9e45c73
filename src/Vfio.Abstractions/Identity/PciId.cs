namespace Vfio;

/// <summary>What a function is, as its configuration header says.</summary>
/// <param name="Vendor">Vendor id.</param>
/// <param name="Device">Device id.</param>
/// <param name="SubsystemVendor">Subsystem vendor id.</param>
/// <param name="SubsystemDevice">Subsystem id.</param>
/// <param name="ClassCode">Class code, 24 bits: base class, sub-class, programming interface.</param>
/// <param name="Revision">Revision id.</param>
public readonly record struct PciId(ushort Vendor, ushort Device, ushort SubsystemVendor, ushort SubsystemDevice, uint ClassCode, byte Revision)
{
    /// <summary>The base class, bits 23:16 of the class code.</summary>
    public byte BaseClass => (byte)(ClassCode >> 16);

    /// <summary>The sub-class, bits 15:8 of the class code.</summary>
    public byte SubClass => (byte)(ClassCode >> 8);

    /// <summary>The programming interface, bits 7:0 of the class code.</summary>
    public byte Interface => (byte)ClassCode;

    /// <inheritdoc/>
    public override string ToString() => $"{Vendor:x4}:{Device:x4}";
}
