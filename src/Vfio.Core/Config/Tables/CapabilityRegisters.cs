namespace Vfio.Core.Config;

#pragma warning disable CA1034 // Each capability's registers stand under its name, as the specification has them.

/// <summary>
/// Offsets and bits inside the capabilities that the core looks into. Source: the PCI and PCI Express base specifications, 7.
/// </summary>
internal static class CapabilityRegisters
{
    /// <summary>Where a standard capability says what it is, and which comes next.</summary>
    public const int Id = 0, Next = 1;

    /// <summary>The first extended capability.</summary>
    public const int ExtendedStart = 0x100;

    /// <summary>PCI Power Management 1.2.</summary>
    internal static class Pm
    {
        public const byte Id = 0x01;
        public const int Capabilities = 2, Control = 4;
        public const uint PmeSupport = 0xF800, D1Support = 0x200, D2Support = 0x400;
        public const uint PmeBits = 0x8100, NoSoftReset = 0x8, StateMask = 3;
    }

    /// <summary>Vital Product Data.</summary>
    internal static class Vpd
    {
        public const byte Id = 0x03;
        public const int Address = 2, Data = 4;
        public const uint Flag = 0x8000;
    }

    /// <summary>Message Signalled Interrupts.</summary>
    internal static class Msi
    {
        public const byte Id = 0x05;
        public const int Flags = 2, AddressLow = 4, AddressHigh = 8;
        public const uint Enable = 1, QueueCapable = 0xE, QueueSize = 0x70, Is64 = 0x80, Maskable = 0x100;
        public const int QueueCapableShift = 1, QueueSizeShift = 4;
        public const int BaseLength = 10, Length64 = 4, LengthMask = 10;

        public static int Data(uint flags) => (flags & Is64) != 0 ? 12 : 8;

        public static int Mask(uint flags) => (flags & Is64) != 0 ? 16 : 12;

        public static int Pending(uint flags) => Mask(flags) + 4;
    }

    /// <summary>PCI Express.</summary>
    internal static class Express
    {
        public const byte Id = 0x10;
        public const int Flags = 2, DeviceCapabilities = 4, DeviceControl = 8, LinkControl = 0x10, DeviceControl2 = 0x28, LinkControl2 = 0x30;
        public const uint VersionMask = 0xF, TypeMask = 0xF0, TypeRootComplexEndpoint = 0x90;
        public const uint FlrCapable = 1u << 28;
        public const uint MaxPayload = 0xE0, PhantomFunctions = 0x200, MaxReadRequest = 0x7000, InitiateFlr = 0x8000;
        public const int MaxPayloadShift = 5, MaxReadRequestShift = 12;
        public const uint AriForwarding = 0x20;
    }

    /// <summary>MSI-X.</summary>
    internal static class Msix
    {
        public const byte Id = 0x11;
        public const int Control = 2, Table = 4;
        public const uint Enable = 0x8000, FunctionMask = 0x4000, TableSizeMask = 0x7FF, BarMask = 7;
        public const int EntrySize = 16;
    }

    /// <summary>PCI-X.</summary>
    internal static class PciX
    {
        public const byte Id = 0x07;
        public const int Command = 2, EccControl = 8;
    }

    /// <summary>Advanced Features.</summary>
    internal static class Af
    {
        public const byte Id = 0x13;
        public const int Capabilities = 3, Control = 4;
        public const uint TransactionsPending = 1, FlrCapable = 2, InitiateFlr = 1;
    }

    /// <summary>Advanced Error Reporting.</summary>
    internal static class Aer
    {
        public const byte Id = 0x01;
        public const int UncorrectableStatus = 4, UncorrectableMask = 8, UncorrectableSeverity = 0xC;
        public const int CorrectableStatus = 0x10, CorrectableMask = 0x14, Control = 0x18;
        public const uint UncorrectableBits = 0x03FFF031, CorrectableBits = 0xF1C1, EcrcBits = 0x140;
    }

    /// <summary>Single Root I/O Virtualization.</summary>
    internal static class SrIov
    {
        public const byte Id = 0x10;
        public const int Control = 8, VfCount = 0x10, PageSize = 0x20, Bar0 = 0x24, BarEnd = 0x3C;
        public const uint VfEnable = 1;
    }
}
