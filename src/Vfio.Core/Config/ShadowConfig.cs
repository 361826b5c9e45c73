using System.Buffers.Binary;

namespace Vfio.Core.Config;

/// <summary>
/// The virtual configuration space: the kernel's <c>vconfig</c>. An aligned read takes no lock; changes happen under
/// <see cref="Changing"/>.
/// </summary>
internal sealed class ShadowConfig
{
    private readonly byte[] _bytes;

    public ShadowConfig(int size) => _bytes = new byte[size];

    /// <summary>Held for the few instructions of a merge; a function's register access may happen under it, nothing that waits.</summary>
    public Lock Changing { get; } = new();

    public int Size => _bytes.Length;

    /// <summary>Reads 1, 2 or 4 bytes at a multiple of their number.</summary>
    public uint Read(int offset, int width) => width switch
    {
        1 => _bytes[offset],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(offset, 2)),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset, 4)),
    };

    /// <summary>Writes 1, 2 or 4 bytes at a multiple of their number.</summary>
    public void Write(int offset, int width, uint value)
    {
        switch (width)
        {
            case 1:
                _bytes[offset] = (byte)value;
                break;
            case 2:
                BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(offset, 2), (ushort)value);
                break;
            default:
                BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset, 4), value);
                break;
        }
    }

    /// <summary>Replaces the bits of a mask.</summary>
    public void Merge(int offset, int width, uint mask, uint value)
        => Write(offset, width, (Read(offset, width) & ~mask) | (value & mask));
}
