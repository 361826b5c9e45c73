using System.Buffers.Binary;
using System.Text;

namespace Vfio.WireVectors.Setups;

/// <summary>The set-ups: what libvfio-user's tests make of its library, as functions and devices of ours.</summary>
internal static class SetupTable
{
    private const ulong GiB = 1 << 30;
    private static readonly RegionArea[] TwoAreas = [new(0x2000, 0x1000), new(0x4000, 0x2000)];
    private static readonly RegionArea[] NineAreas = [.. Enumerable.Range(1, 9).Select(i => new RegionArea((ulong)i * 0x1000, 0x1000))];
    private static readonly BarSpec Doorbell = new(0, 0x1000);

    private static BarSpec Mapped(int index) => new(index, 0x8000) { Mapping = (0x8000, TwoAreas) };

    public static IReadOnlyList<Setup> All { get; } =
    [
        new("plain") { IsExpress = true },
        new("conventional"),
        new("two-bars") { Bars = [new(0, 4096, BarKind.Io), new(1, 4096)] },
        new("interrupts")
        {
            IsExpress = true, HasExpressCapability = true, HasDoorbell = true, Migrates = true, MsixVectors = 2048,
            Bars = [Doorbell, new(2, 0x10000)], Capabilities = [ExpressAt(0x40, next: 0x80), MsixAt(0x80, 2048, table: 2)],
        },
        new("regions") { Bars = [new(1, 4096), Mapped(2), new(3, 0x10000) { Mapping = (0, NineAreas) }] },
        new("bars-32") { IsExpress = true, Bars = [new(1, 4096), new(2, 8192), new(3, 16384)] },
        new("bars-64") { IsExpress = true, Bars = [Wide(0, 4 * GiB), Wide(2, 8 * GiB), Wide(4, 16 * GiB)] },
        new("bars-large") { Bars = [new(0, 4096, BarKind.Io), Wide(2, 4 * GiB), Wide(4, 8 * GiB)] },
        new("bar-kinds")
        {
            IsExpress = true, HasIntx = true, Capabilities = [new(0x40, [0x01, 0, 0, 0, 0, 0, 0, 0])],
            Bars = [new(0, 4096, BarKind.Io), new(1, 4096), Wide(2, 1 << 20), Wide(4, GiB) with { IsPrefetchable = true }],
        },
        new("ioeventfds") { Bars = [Mapped(1), Mapped(2), new(5, 0x8000, BarKind.Io)], IoEventFds = (2, [0, 1, 2, 3, 4, 5]) },
        new("ioeventfds-shared") { Bars = [Mapped(1), Mapped(2), new(5, 0x8000, BarKind.Io)], IoEventFds = (2, [0, 1, 2, 3, 4, 5, 6, 6]) },
        new("ioeventfds-absent") { Bars = [new(0, 4096, BarKind.Io)], IoEventFds = (0, [0, -1, 1, -1, 1]) },
        new("dma") { IsExpress = true, HasDoorbell = true, HasDma = true, Bars = [Doorbell] },
        new("dirty") { IsExpress = true, HasDoorbell = true, HasDma = true, Migrates = true, Bars = [Doorbell] },
        new("no-dma") { IsExpress = true },
        new("migration") { HasDoorbell = true, Migrates = true, Bars = [Doorbell] },
        new("capabilities")
        {
            Capabilities =
            [
                new(0x40, [0x01, 0x48, 0, 0, 0, 0, 0, 0]) { Writable = [0, 0, 0, 0, 0x03, 0x81, 0, 0] },
                Vendor(0x48, 0x50, "abc"), Vendor(0x50, 0x80, "Hello world.", isWritable: true), Vendor(0x80, 0x90, "Hello world."),
                Vendor(0x90, 0, "Hello world."),
            ],
        },
        new("express-capability") { HasExpressCapability = true, HasDoorbell = true, Bars = [Doorbell], Capabilities = [ExpressAt(0x40, next: 0)] },
        new("msi") { Capabilities = [new(0x40, [0x05, 0, 0x08, 0, .. new byte[20]]) { Writable = [0, 0, 0x71, 0] }], MsiVectors = 16 },
        new("msix") { Bars = [new(0, 0x1000)], Capabilities = [new(0x40, [0x11, .. new byte[11]]) { Writable = [0, 0, 0, 0xC0] }], MsixVectors = 1 },
        new("extended-capabilities")
        {
            IsExpress = true, HasExpressCapability = true,
            Capabilities =
            [
                ExpressAt(0x40, next: 0),
                new(0x100, [0x03, 0, 0xC0, 0x10, 4, 0, 0, 0, 8, 0, 0, 0]), ExtendedVendor(0x10C, 0x11C, 0x1A, "abcde"),
                ExtendedVendor(0x11C, 0x200, 0x1B, "Hello world.", isWritable: true), ExtendedVendor(0x200, 0x258, 0x1C, "Hello world."),
                ExtendedVendor(0x258, 0, 0x1D, "Hello world."),
            ],
        },
        new("config-callback") { IsExpress = true, ConfigFill = 0xCC },
        new("quiesce")
        {
            IsExpress = true, HasExpressCapability = true, HasDoorbell = true, HasDma = true, Migrates = true, Bars = [Doorbell],
            Capabilities = [ExpressAt(0x40, next: 0)], IoEventFds = (0, [0]),
        },
    ];

    private static BarSpec Wide(int index, ulong size) => new(index, size, BarKind.Memory64);

    // FLR, and of the control registers what the specification lets software write.
    private static CapabilitySpec ExpressAt(int offset, byte next)
    {
        var (bytes, writable) = (new byte[0x3C], new byte[0x3C]);
        bytes[0] = 0x10;
        bytes[1] = next;
        bytes[2] = 0x02;
        bytes[7] = 0x10;
        BinaryPrimitives.WriteUInt16LittleEndian(writable.AsSpan(0x08), 0xFFFF);
        BinaryPrimitives.WriteUInt16LittleEndian(writable.AsSpan(0x28), 0xFFFF);
        BinaryPrimitives.WriteUInt16LittleEndian(writable.AsSpan(0x30), 0xFFFF);
        return new(offset, bytes) { Writable = writable };
    }

    private static CapabilitySpec MsixAt(int offset, int vectors, byte table)
    {
        var bytes = new byte[12];
        bytes[0] = 0x11;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2), (ushort)(vectors - 1));
        bytes[4] = table;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), (uint)(vectors * 16) | table);
        return new(offset, bytes) { Writable = [0, 0, 0, 0xC0] };
    }

    private static CapabilitySpec Vendor(int offset, byte next, string data, bool isWritable = false)
    {
        byte[] bytes = [0x09, next, (byte)(3 + data.Length), .. Encoding.ASCII.GetBytes(data)];
        return new(offset, bytes) { Writable = isWritable ? [0, 0, 0, .. Enumerable.Repeat((byte)0xFF, data.Length)] : [] };
    }

    private static CapabilitySpec ExtendedVendor(int offset, int next, ushort id, string data, bool isWritable = false)
    {
        var bytes = new byte[8 + data.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, 0x0B | ((uint)next << 20));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(4), id);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(6), (ushort)(bytes.Length << 4));
        Encoding.ASCII.GetBytes(data, bytes.AsSpan(8));
        return new(offset, bytes) { Writable = isWritable ? [.. new byte[8], .. Enumerable.Repeat((byte)0xFF, data.Length)] : [] };
    }
}
