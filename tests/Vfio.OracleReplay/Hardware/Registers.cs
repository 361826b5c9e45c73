namespace Vfio.OracleReplay.Hardware;

/// <summary>The registers that the model of the hardware acts on, with their offsets in the header or in their capability.</summary>
internal static class Registers
{
    public const int Command = 0x04, ClassCode = 0x09, Bar0 = 0x10, SubsystemVendor = 0x2C, Rom = 0x30, InterruptPin = 0x3D, Header = 0x40;
    public const uint CommandIo = 1, CommandMemory = 2, RomEnable = 1;

    /// <summary>Where MSI, MSI-X and PCI Express have their flags.</summary>
    public const int CapabilityFlags = 2;

    public const int PowerManagement = 0x01, PowerCapabilities = 2, PowerControl = 4;
    public const uint PowerStateMask = 3, NoSoftReset = 8, D1Support = 0x200, D2Support = 0x400;

    public const int Vpd = 0x03, VpdAddress = 2, VpdData = 4;
    public const uint VpdFlag = 0x8000;

    public const int Msi = 0x05;
    public const uint MsiQueueCapable = 0xE;

    public const int Express = 0x10, DeviceCapabilities = 4, DeviceControl = 8;
    public const uint ExpressTypeMask = 0xF0, Endpoint = 0x00, LegacyEndpoint = 0x10, IntegratedEndpoint = 0x90;
    public const uint FlrCapable = 1u << 28, InitiateFlr = 0x8000;

    public const int Msix = 0x11;
    public const uint MsixTableSize = 0x7FF;

    public const int AdvancedFeatures = 0x13, AfCapabilities = 3, AfControl = 4;
    public const uint AfResets = 3;
}
