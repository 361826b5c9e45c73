namespace Vfio.Simulation.Pci;

/// <summary>Registers of the type 0 header and their bits. Source: PCI Express Base Specification, 7.5.1.</summary>
internal static class ConfigOffset
{
    internal const int VendorId = 0x00;
    internal const int DeviceId = 0x02;
    internal const int Command = 0x04;
    internal const int Status = 0x06;
    internal const int Revision = 0x08;
    internal const int ClassCode = 0x09;
    internal const int CacheLineSize = 0x0C;
    internal const int Bar0 = 0x10;
    internal const int SubsystemVendorId = 0x2C;
    internal const int SubsystemId = 0x2E;
    internal const int CapabilitiesPointer = 0x34;
    internal const int InterruptLine = 0x3C;
    internal const int InterruptPin = 0x3D;
    internal const int FirstCapability = 0x40;
    internal const int FirstExtendedCapability = 0x100;
    internal const int Size = 0x1000;

    internal const uint CommandMemory = 1 << 1;
    internal const uint CommandBusMaster = 1 << 2;
    internal const uint CommandParity = 1 << 6;
    internal const uint CommandSystemError = 1 << 8;
    internal const uint CommandInterruptDisable = 1 << 10;
    internal const uint StatusInterrupt = 1 << 3;
    internal const uint StatusCapabilities = 1 << 4;
    internal const uint StatusSystemError = 1 << 14;

    /// <summary>Master data parity, target and master aborts, system and parity errors: written with 1 to clear.</summary>
    internal const uint StatusErrors = 0xF900;
}
