using System.Buffers.Binary;

namespace Vfio.Tool.Config;

/// <summary>Configuration space as an open device shows it, decoded.</summary>
internal sealed class ConfigSpace
{
    private const int SmallestCapability = 4;
    private readonly byte[] _bytes;

    private ConfigSpace(byte[] bytes) => _bytes = bytes;

    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Reads all of it through the device, a double word at a time, as a guest does.</summary>
    /// <exception cref="VfioException">The device does not answer.</exception>
    public static ConfigSpace Read(VfioDevice device)
    {
        var info = device.GetRegionInfo(RegionIndex.Config);
        if (!info.IsSuccess)
            throw new VfioException(info.Error, $"configuration space cannot be read ({info.Error})");
        var bytes = new byte[Math.Min(info.Value.Size, 4096)];
        for (var offset = 0; offset < bytes.Length; offset += sizeof(uint))
        {
            var result = device.Read(RegionIndex.Config, (ulong)offset, bytes.AsSpan(offset, sizeof(uint)));
            if (!result.IsSuccess)
                throw new VfioException(result.Error, $"configuration space cannot be read at {offset:x3} ({result.Error})");
        }

        return new(bytes);
    }

    public static ConfigSpace Of(byte[] bytes) => new(bytes);

    public IReadOnlyList<DecodedRegister> Header() => Decode(0, HeaderLayout.Registers);

    /// <summary>The capabilities, in the order of their chains. A chain that loops or leaves configuration space ends there.</summary>
    public IReadOnlyList<DecodedCapability> Capabilities()
    {
        var found = new List<DecodedCapability>();
        if ((Word(HeaderLayout.StatusOffset, 2) & HeaderLayout.CapabilityListBit) != 0)
        {
            var seen = new HashSet<int>();
            for (var at = (int)Word(HeaderLayout.CapabilityPointer, 1) & ~3; at >= 0x40 && seen.Add(at); at = (int)Word(at + 1, 1) & ~3)
            {
                var id = (int)Word(at, 1);
                var layout = CapabilityLayouts.Get(id);
                found.Add(new(at, id, false, layout.Name, Decode(at, layout.Registers)));
            }
        }

        var visited = new HashSet<int>();
        for (var at = HeaderLayout.ExtendedStart; at >= HeaderLayout.ExtendedStart && at + SmallestCapability <= _bytes.Length && visited.Add(at);)
        {
            var header = (uint)Word(at, 4);
            var next = (int)(header >> 20) & ~3;
            var id = (int)(header & 0xFFFF);

            // An empty list is a header of zeros; one that only leads on is the core's place-holder for a hidden capability.
            if (header is not (0 or uint.MaxValue) && (id != 0 || next == 0))
            {
                var layout = ExtendedCapabilityLayouts.Get(id);
                found.Add(new(at, id, true, layout.Name, Decode(at, layout.Registers)));
            }

            at = next;
        }

        return found;
    }

    public uint Bar(int index) => (uint)Word(HeaderLayout.BarOffset + (index * sizeof(uint)), 4);

    private List<DecodedRegister> Decode(int at, RegisterField[] registers)
        => [.. registers.Where(r => at + r.Offset + r.Width <= _bytes.Length).Select(r =>
        {
            var value = Word(at + r.Offset, r.Width);
            return new DecodedRegister(r.Name, $"0x{value.ToString($"x{r.Width * 2}", null)}", [.. r.Bits.Select(b => b.Show(value))]);
        })];

    private ulong Word(int offset, int width)
    {
        if (offset < 0 || offset + width > _bytes.Length)
            return 0;
        var at = _bytes.AsSpan(offset);
        return width switch
        {
            1 => at[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(at),
            4 => BinaryPrimitives.ReadUInt32LittleEndian(at),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(at),
        };
    }
}

/// <summary>A register: its name, its value, and its fields as <c>Name+</c>, <c>Name-</c> or <c>Name=value</c>.</summary>
internal sealed record DecodedRegister(string Name, string Value, IReadOnlyList<string> Fields);

/// <summary>A capability: where it is, which it is, and its registers.</summary>
internal sealed record DecodedCapability(int Offset, int Id, bool Extended, string Name, IReadOnlyList<DecodedRegister> Registers);
