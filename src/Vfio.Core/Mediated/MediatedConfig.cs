using System.Buffers.Binary;
using System.Numerics;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Mediated;

/// <summary>
/// The configuration space of a conventional PCI device that no hardware has: a type 0 header with ids, BARs that can be sized, COMMAND
/// and a pin; what follows reads as 0. Thread-safe, allocates nothing.
/// </summary>
internal sealed class MediatedConfig
{
    public const int Length = 256;
    private const ushort StatusInterrupt = 8, WritableCommand = 0x547;
    private const byte PinA = 1;
    private const uint SmallestMemory = 16, SmallestIo = 4;
    private static readonly RegisterRange StatusRegister = new(Status, 2);
    private readonly Lock _changing = new();
    private readonly byte[] _power = new byte[Length];
    private readonly byte[] _writable = new byte[Length];
    private readonly byte[] _values = new byte[Length];
    private readonly Func<bool> _isAsserted;

    /// <param name="id">The ids.</param>
    /// <param name="isAsserted">Whether the pin is asserted, which the status register shows.</param>
    public MediatedConfig(PciId id, Func<bool> isAsserted)
    {
        _isAsserted = isAsserted;
        Set(Vendor, 2, id.Vendor);
        Set(Device, 2, id.Device);
        Set(RevisionAndClass, 4, id.Revision | (id.ClassCode << 8));
        const int SubsystemVendor = 0x2C, Subsystem = 0x2E;
        Set(SubsystemVendor, 2, id.SubsystemVendor);
        Set(Subsystem, 2, id.SubsystemDevice);
        Set(InterruptPin, 1, PinA);
        Allow(Command, 2, WritableCommand);
        Allow(CacheLine, 1, byte.MaxValue);
        Allow(Latency, 1, byte.MaxValue);
        Allow(InterruptLine, 1, byte.MaxValue);
        Reset();
    }

    /// <summary>Whether COMMAND's Interrupt Disable is set.</summary>
    public bool IntxDisabled => (BinaryPrimitives.ReadUInt16LittleEndian(_values.AsSpan(Command)) & CommandIntxDisable) != 0;

    /// <summary>As at power-on.</summary>
    public void Reset()
    {
        lock (_changing)
            _power.CopyTo(_values, 0);
    }

    public VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        if (!IsInside(offset, destination.Length))
            return Errno.EFAULT;
        lock (_changing)
            _values.AsSpan((int)offset, destination.Length).CopyTo(destination);
        Span<byte> status = stackalloc byte[StatusRegister.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(status, _isAsserted() ? StatusInterrupt : (ushort)0);
        StatusRegister.Patch(offset, destination, status);
        return destination.Length;
    }

    public VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        if (!IsInside(offset, source.Length))
            return Errno.EFAULT;
        lock (_changing)
        {
            for (var i = 0; i < source.Length; i++)
            {
                var at = (int)offset + i;
                _values[at] = (byte)((_values[at] & ~_writable[at]) | (source[i] & _writable[at]));
            }
        }

        return source.Length;
    }

    /// <summary>Gives a BAR its register, before the device is opened. The register shows the next power of two of the size.</summary>
    public void AddBar(int index, ulong size, BarKind kind)
    {
        var decoded = BitOperations.RoundUpToPowerOf2(Math.Max(size, kind == BarKind.Io ? SmallestIo : SmallestMemory));
        var register = Bar0 + (4 * index);
        Set(register, 4, kind switch { BarKind.Io => BarIo, BarKind.Memory64 => Bar64, _ => 0 });
        Allow(register, 4, (uint)~(decoded - 1));
        if (kind == BarKind.Memory64)
            Allow(register + 4, 4, (uint)(~(decoded - 1) >> 32));
        Reset();
    }

    private void Set(int at, int width, uint value) => Store(_power.AsSpan(at, width), value);

    private void Allow(int at, int width, uint mask) => Store(_writable.AsSpan(at, width), mask);

    private static void Store(Span<byte> bytes, uint value)
    {
        for (var i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(value >> (8 * i));
    }

    private static bool IsInside(ulong offset, int count) => offset < Length && (uint)count <= Length - offset;
}
