namespace Vfio.Core.Config;

/// <summary>A run of configuration bytes under one rule: the header, a capability, or what no capability claims.</summary>
internal sealed class ConfigBlock
{
    private readonly byte[] _virtual;
    private readonly byte[] _writable;

    public ConfigBlock(string name, int start, int length, IReadOnlyList<RegisterRule> registers, bool rawWrites = false)
    {
        Name = name;
        Start = start;
        Length = length;
        RawWrites = rawWrites;
        _virtual = new byte[length];
        _writable = new byte[length];
        foreach (var register in registers)
        {
            for (var i = 0; i < register.Width && register.Offset + i < length; i++)
            {
                _virtual[register.Offset + i] = (byte)(register.Virtual >> (8 * i));
                _writable[register.Offset + i] = (byte)(register.Writable >> (8 * i));
            }
        }
    }

    public string Name { get; }

    public int Start { get; }

    public int Length { get; }

    /// <summary>Writes reach the hardware as they come, whatever the masks say.</summary>
    public bool RawWrites { get; }

    /// <summary>All but the header is as the hardware has it.</summary>
    public bool IsDirect { get; init; }

    public ConfigTrap? Trap { get; set; }

    /// <summary>The bits of an aligned piece that are virtual.</summary>
    public uint VirtualMask(int offset, int width) => Mask(_virtual, offset - Start, width);

    /// <summary>The bits of an aligned piece that may be written.</summary>
    public uint WritableMask(int offset, int width) => Mask(_writable, offset - Start, width);

    /// <summary>Makes the header as the hardware has it, too.</summary>
    public void ShowHardware() => Array.Clear(_virtual);

    private static uint Mask(byte[] bytes, int at, int width)
    {
        uint mask = bytes[at];
        for (var i = 1; i < width; i++)
            mask |= (uint)bytes[at + i] << (8 * i);
        return mask;
    }
}
