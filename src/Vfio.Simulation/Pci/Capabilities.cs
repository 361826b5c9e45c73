namespace Vfio.Simulation.Pci;

/// <summary>The capabilities that functions have, as data. Source: PCI Express Base Specification 6.0, chapters 7 and 9.</summary>
internal static class Capabilities
{
    /// <summary>Power Management, 7.5.2.</summary>
    internal static class PowerManagement
    {
        internal const int ControlStatus = 4;
        internal const uint StateMask = 3;
        private const uint NoSoftReset = 1 << 3;

        /// <param name="resets">Whether going from D3hot to D0 resets the function (No_Soft_Reset is clear).</param>
        internal static Capability Describe(bool resets)
            => new Capability(0x01, 8).Word(2, 3).Word(ControlStatus, resets ? 0 : NoSoftReset, writable: StateMask);
    }

    /// <summary>MSI-X, 7.7.2.</summary>
    internal static class Msix
    {
        internal const int Control = 2;
        internal const uint SizeMask = 0x7FF;
        internal const uint FunctionMask = 1 << 14;
        internal const uint Enable = 1 << 15;
        internal const int EntrySize = 16;

        internal static Capability Describe(int vectors, int bar, uint table, uint pending)
            => new Capability(0x11, 12)
                .Word(Control, (uint)(vectors - 1), writable: FunctionMask | Enable)
                .Dword(4, table | (uint)bar)
                .Dword(8, pending | (uint)bar);
    }

    /// <summary>PCI Express, 7.5.3: an endpoint, capable of function level reset, behind a link of 16 GT/s and four lanes.</summary>
    internal static class Express
    {
        internal const int DeviceControl = 8;
        internal const int DeviceStatus = 0x0A;
        internal const uint InitiateFlr = 1 << 15;
        internal const uint NonFatalEnable = 1 << 1, FatalEnable = 1 << 2, ErrorEnables = 0xF;
        internal const uint NonFatalDetected = 1 << 1, FatalDetected = 1 << 2, UnsupportedRequestDetected = 1 << 3;
        private const uint Flr = 1 << 28, RoleBasedErrors = 1 << 15, ExtendedTag = 1 << 5, Payload256 = 1;
        private const uint LinkX4At16 = 0x44, SlotClock = 1 << 12, OptionalityCompliance = 1 << 22;

        internal static Capability Describe() => Common()
            .Word(DeviceControl, 0x2810, writable: 0x7FFF)
            .Word(DeviceStatus, 0, clear: 0xF)
            .Word(0x10, 0, writable: 0x01C8)
            .Word(0x12, LinkX4At16 | SlotClock)
            .Word(0x28, 0, writable: 0x1F)
            .Word(0x30, 4, writable: 0xF, sticky: 0xF);

        /// <summary>Of a VF: control lies with the PF, but for initiating a reset; link status is the PF's.</summary>
        internal static Capability DescribeVirtual() => Common().Word(DeviceStatus, 0, clear: 0xF);

        private static Capability Common() => new Capability(0x10, 0x3C)
            .Word(2, 2)
            .Dword(4, Flr | RoleBasedErrors | ExtendedTag | Payload256)
            .Dword(0x0C, LinkX4At16 | OptionalityCompliance)
            .Dword(0x24, 0x1F)
            .Dword(0x2C, 0x1E);
    }

    /// <summary>Advanced Error Reporting, 7.8.4: the status, mask and severity registers of an endpoint; sticky through a reset.</summary>
    internal static class ErrorReporting
    {
        internal const int UncorrectableStatus = 0x04, UncorrectableMask = 0x08, UncorrectableSeverity = 0x0C;
        internal const int CorrectableStatus = 0x10, CorrectableMask = 0x14, Control = 0x18;
        internal const uint FirstErrorPointer = 0x1F;

        /// <summary>What a VF can detect: poisoned TLPs, and what becomes of its own requests and completions.</summary>
        internal const uint VirtualUncorrectable = 0x11D000;
        private const uint VirtualCorrectable = 0xE000;
        private const uint Uncorrectable = 0x1FF010, Fatal = 0x062030, Correctable = 0xF1C1, Advisory = 0x2000;

        internal static Capability Describe() => new Capability(0x01, 0x48, version: 2)
            .Dword(UncorrectableStatus, 0, clear: Uncorrectable, sticky: Uncorrectable)
            .Dword(UncorrectableMask, 0, writable: Uncorrectable, sticky: Uncorrectable)
            .Dword(UncorrectableSeverity, Fatal, writable: Uncorrectable, sticky: Uncorrectable)
            .Dword(CorrectableStatus, 0, clear: Correctable, sticky: Correctable)
            .Dword(CorrectableMask, Advisory, writable: Correctable, sticky: Correctable)
            .Dword(Control, 0, sticky: FirstErrorPointer);

        /// <summary>Of a VF: mask and severity are the PF's, and errors of the link, which a VF has no part in; 9.4.2.</summary>
        internal static Capability DescribeVirtual() => new Capability(0x01, 0x48, version: 2)
            .Dword(UncorrectableStatus, 0, clear: VirtualUncorrectable, sticky: VirtualUncorrectable)
            .Dword(CorrectableStatus, 0, clear: VirtualCorrectable, sticky: VirtualCorrectable)
            .Dword(Control, 0, sticky: FirstErrorPointer);
    }

    /// <summary>Alternative Routing-ID Interpretation, 7.8.8: no further physical function.</summary>
    internal static class AlternativeRouting
    {
        internal static Capability Describe() => new(0x0E, 8, version: 1);
    }

    /// <summary>Device Serial Number, 7.9.3.</summary>
    internal static class SerialNumber
    {
        internal static Capability Describe(ulong serial)
            => new Capability(0x03, 12, version: 1).Dword(4, (uint)serial).Dword(8, (uint)(serial >> 32));
    }

    /// <summary>Single Root I/O Virtualization, 9.3.3.</summary>
    internal static class SingleRoot
    {
        internal const int Control = 8;
        internal const int NumVfs = 0x10;
        internal const int VfBars = 0x24;
        internal const uint VfEnable = 1 << 0;
        internal const uint VfMemoryEnable = 1 << 3;
        private const uint AriHierarchy = 1 << 4, AriPreserved = 1 << 1;
        private const uint PageSizes = 0x553, Page4K = 1;

        internal static Capability Describe(ushort count, ushort offset, ushort stride, ushort device, IPciBar vfBar0)
        {
            Span<byte> value = stackalloc byte[8], writable = stackalloc byte[8];
            value.Clear();
            writable.Clear();
            ConfigSpaceBuilder.WriteBar(value, writable, 0, vfBar0.Size, vfBar0.Kind, vfBar0.Prefetchable);
            return new Capability(0x10, 0x40, version: 1)
                .Dword(0x04, AriPreserved)
                .Word(Control, 0, writable: VfEnable | VfMemoryEnable | AriHierarchy)
                .Word(0x0C, count)
                .Word(0x0E, count)
                .Word(NumVfs, 0, writable: 0xFFFF)
                .Word(0x14, offset)
                .Word(0x16, stride)
                .Word(0x1A, device)
                .Dword(0x1C, PageSizes)
                .Dword(0x20, Page4K, writable: PageSizes)
                .Dword(VfBars, BitConverter.ToUInt32(value), writable: BitConverter.ToUInt32(writable))
                .Dword(VfBars + 4, 0, writable: BitConverter.ToUInt32(writable[4..]));
        }
    }
}
