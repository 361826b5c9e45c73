using System.Buffers.Binary;

namespace Vfio.OracleReplay.Hardware;

/// <summary>Registers in a configuration space that is held as bytes, and its capabilities as the hardware chains them.</summary>
internal static class ConfigBytes
{
    private const int ExtendedStart = 0x100, HeaderEnd = 0x40, MostStandard = 48;

    /// <summary>Reads a register; all ones where it reaches over the end, as a bus answers for what is not there.</summary>
    public static uint Load(ReadOnlySpan<byte> config, int offset, int width)
        => offset + width > config.Length ? uint.MaxValue >> (32 - (8 * width)) : width switch
    {
        1 => config[offset],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(config[offset..]),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(config[offset..]),
    };

    public static void Store(Span<byte> config, int offset, int width, uint value)
    {
        for (var i = 0; i < width; i++)
            config[offset + i] = (byte)(value >> (8 * i));
    }

    /// <summary>Id and offset of each standard capability.</summary>
    public static List<(int Id, int Offset)> Standard(ReadOnlySpan<byte> config)
    {
        const int Status = 6, CapabilityList = 0x10, Pointer = 0x34;
        var found = new List<(int, int)>();
        var at = (config[Status] & CapabilityList) != 0 ? config[Pointer] & ~3 : 0;
        for (var i = 0; i < MostStandard && at >= HeaderEnd && at + 1 < config.Length; i++, at = config[at + 1] & ~3)
            found.Add((config[at], at));
        return found;
    }

    /// <summary>Id and offset of each extended capability.</summary>
    public static List<(int Id, int Offset)> Extended(ReadOnlySpan<byte> config)
    {
        const int NextShift = 20;
        var found = new List<(int, int)>();
        var at = config.Length > ExtendedStart && Load(config, ExtendedStart, 4) is not (0 or uint.MaxValue) ? ExtendedStart : 0;
        for (var i = 0; i < (config.Length - ExtendedStart) / 4 && at >= ExtendedStart && at + 4 <= config.Length; i++)
        {
            var header = Load(config, at, 4);
            found.Add(((int)(header & 0xFFFF), at));
            at = (int)(header >> NextShift) & ~3;
        }

        return found;
    }

    /// <summary>Where the first capability of an id is; 0 for none.</summary>
    public static int Find(List<(int Id, int Offset)> capabilities, int id) => capabilities.Find(c => c.Id == id).Offset;
}
