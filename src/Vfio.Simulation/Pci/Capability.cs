using System.Buffers.Binary;

namespace Vfio.Simulation.Pci;

/// <summary>
/// A capability described as data: for each byte its power-on value, which bits software can write, which it clears by writing 1, and which
/// survive a function level reset.
/// </summary>
internal sealed class Capability
{
    private readonly byte[] _value;
    private readonly byte[] _writable;
    private readonly byte[] _clear;
    private readonly byte[] _sticky;

    /// <param name="id">Capability id.</param>
    /// <param name="size">Bytes, the header included.</param>
    /// <param name="version">Version of an extended capability; 0 for one of the first 256 bytes.</param>
    internal Capability(int id, int size, int version = 0)
    {
        Id = id;
        Version = version;
        _value = new byte[size];
        _writable = new byte[size];
        _clear = new byte[size];
        _sticky = new byte[size];
    }

    internal int Id { get; }

    internal int Version { get; }

    internal bool IsExtended => Version != 0;

    internal int Size => _value.Length;

    internal ReadOnlySpan<byte> Value => _value;

    internal ReadOnlySpan<byte> Writable => _writable;

    internal ReadOnlySpan<byte> WriteOneToClear => _clear;

    internal ReadOnlySpan<byte> Sticky => _sticky;

    internal Capability Word(int offset, uint value, uint writable = 0, uint clear = 0, uint sticky = 0)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_value.AsSpan(offset), (ushort)value);
        BinaryPrimitives.WriteUInt16LittleEndian(_writable.AsSpan(offset), (ushort)writable);
        BinaryPrimitives.WriteUInt16LittleEndian(_clear.AsSpan(offset), (ushort)clear);
        BinaryPrimitives.WriteUInt16LittleEndian(_sticky.AsSpan(offset), (ushort)sticky);
        return this;
    }

    internal Capability Dword(int offset, uint value, uint writable = 0, uint clear = 0, uint sticky = 0)
        => Word(offset, value & 0xFFFF, writable & 0xFFFF, clear & 0xFFFF, sticky & 0xFFFF)
            .Word(offset + 2, value >> 16, writable >> 16, clear >> 16, sticky >> 16);
}
