using System.Buffers.Binary;
using System.Numerics;

namespace Vfio.Simulation.Pci;

/// <summary>Lays out configuration space: the header from identity and BARs, then capabilities one after the other.</summary>
internal sealed class ConfigSpaceBuilder
{
    private readonly byte[] _value = new byte[ConfigOffset.Size];
    private readonly byte[] _writable = new byte[ConfigOffset.Size];
    private readonly byte[] _clear = new byte[ConfigOffset.Size];
    private readonly byte[] _sticky = new byte[ConfigOffset.Size];
    private int _next = ConfigOffset.FirstCapability;
    private int _nextExtended = ConfigOffset.FirstExtendedCapability;
    private int _lastLink = ConfigOffset.CapabilitiesPointer;
    private int _lastExtended;

    private ConfigSpaceBuilder(in PciId id)
    {
        Put16(_value, ConfigOffset.Status, (ushort)ConfigOffset.StatusCapabilities);
        Put16(_clear, ConfigOffset.Status, (ushort)ConfigOffset.StatusErrors);
        _value[ConfigOffset.Revision] = id.Revision;
        _value[ConfigOffset.ClassCode] = id.Interface;
        _value[ConfigOffset.ClassCode + 1] = id.SubClass;
        _value[ConfigOffset.ClassCode + 2] = id.BaseClass;
        Put16(_value, ConfigOffset.SubsystemVendorId, id.SubsystemVendor);
        Put16(_value, ConfigOffset.SubsystemId, id.SubsystemDevice);
    }

    /// <summary>A physical function, or one without SR-IOV.</summary>
    internal static ConfigSpaceBuilder Physical(in PciId id, bool interruptPin)
    {
        var builder = new ConfigSpaceBuilder(id);
        Put16(builder._value, ConfigOffset.VendorId, id.Vendor);
        Put16(builder._value, ConfigOffset.DeviceId, id.Device);
        Put16(builder._writable, ConfigOffset.Command, (ushort)(ConfigOffset.CommandMemory | ConfigOffset.CommandBusMaster
            | ConfigOffset.CommandParity | ConfigOffset.CommandSystemError | (interruptPin ? ConfigOffset.CommandInterruptDisable : 0)));
        builder._writable[ConfigOffset.CacheLineSize] = 0xFF;
        if (interruptPin)
        {
            builder._value[ConfigOffset.InterruptPin] = 1;
            builder._writable[ConfigOffset.InterruptLine] = 0xFF;
        }

        return builder;
    }

    /// <summary>
    /// A virtual function: ids read FFFFh, COMMAND has bus master alone, no BAR and no pin (PCI Express Base Specification, 9.3.4.1).
    /// </summary>
    internal static ConfigSpaceBuilder Virtual(in PciId id)
    {
        var builder = new ConfigSpaceBuilder(id);
        Put16(builder._value, ConfigOffset.VendorId, 0xFFFF);
        Put16(builder._value, ConfigOffset.DeviceId, 0xFFFF);
        Put16(builder._writable, ConfigOffset.Command, (ushort)ConfigOffset.CommandBusMaster);
        return builder;
    }

    /// <summary>A BAR: its low bits say what it is, the address bits below its size are hardwired to 0.</summary>
    internal ConfigSpaceBuilder Bar(int index, IPciBar bar)
    {
        WriteBar(_value, _writable, ConfigOffset.Bar0 + (index * 4), bar.Size, bar.Kind, bar.Prefetchable);
        return this;
    }

    /// <summary>Where a capability goes; it is linked behind those before it.</summary>
    /// <returns>Its offset.</returns>
    internal int Add(Capability capability)
    {
        var at = capability.IsExtended ? _nextExtended : _next;
        capability.Value.CopyTo(_value.AsSpan(at));
        capability.Writable.CopyTo(_writable.AsSpan(at));
        capability.WriteOneToClear.CopyTo(_clear.AsSpan(at));
        capability.Sticky.CopyTo(_sticky.AsSpan(at));
        if (capability.IsExtended)
        {
            Put32(_value, at, (uint)(capability.Id | (capability.Version << 16)));
            if (_lastExtended != 0)
                Put16(_value, _lastExtended + 2, (ushort)((_value[_lastExtended + 2] & 0xF) | (at << 4)));
            _lastExtended = at;
            _nextExtended = at + ((capability.Size + 15) & ~15);
        }
        else
        {
            _value[at] = (byte)capability.Id;
            _value[_lastLink] = (byte)at;
            _lastLink = at + 1;
            _next = at + ((capability.Size + 15) & ~15);
        }

        return at;
    }

    internal ConfigSpace Build() => new(Dwords(_value), Dwords(_writable), Dwords(_clear), Dwords(_sticky));

    /// <summary>A BAR's bits at an offset: the header's BARs and the VF BARs of SR-IOV are laid out alike.</summary>
    internal static void WriteBar(Span<byte> value, Span<byte> writable, int at, ulong size, BarKind kind, bool prefetchable)
    {
        if (!BitOperations.IsPow2(size) || size < 16)
            throw new ArgumentOutOfRangeException(nameof(size), "a BAR's size is a power of two of at least 16");
        var address = ~(size - 1);
        var type = kind switch { BarKind.Io => 1u, BarKind.Memory64 => 4u, _ => 0u } | (prefetchable ? 8u : 0u);
        Put32(value, at, type);
        Put32(writable, at, (uint)address);
        if (kind == BarKind.Memory64)
            Put32(writable, at + 4, (uint)(address >> 32));
    }

    private static uint[] Dwords(byte[] bytes)
    {
        var dwords = new uint[bytes.Length / 4];
        for (var i = 0; i < dwords.Length; i++)
            dwords[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(i * 4));
        return dwords;
    }

    private static void Put16(Span<byte> bytes, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(bytes[at..], value);

    private static void Put32(Span<byte> bytes, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], value);
}
