namespace Vfio.Core.Config;

/// <summary>Which rule governs each byte of configuration space, and where the capabilities are. Fixed while the device is open.</summary>
internal sealed class ConfigMap
{
    private readonly short[] _blockOf;
    private readonly List<ConfigBlock> _blocks = [];
    private readonly Dictionary<byte, int> _standard = [];
    private readonly Dictionary<ushort, int> _extended = [];
    private readonly List<(int Offset, int Width)> _saved = [];

    public ConfigMap(int size)
    {
        _blockOf = new short[size];
        // One block for every gap: it has no start of its own that would matter, so it spans everything.
        Add(new("unassigned", 0, size, [], rawWrites: true));
    }

    public int Size => _blockOf.Length;

    public IReadOnlyList<ConfigBlock> Blocks => _blocks;

    /// <summary>The registers that a reset loses, in the order of restoring.</summary>
    public IReadOnlyList<(int Offset, int Width)> Saved => _saved;

    /// <summary>The block that a byte belongs to.</summary>
    public ConfigBlock BlockAt(int offset) => _blocks[_blockOf[offset]];

    public bool SameBlock(int left, int right) => _blockOf[left] == _blockOf[right];

    public bool IsUnassigned(int offset) => _blockOf[offset] == 0;

    /// <summary>Adds a block; where it overlaps an earlier one, the later block owns the bytes.</summary>
    public void Add(ConfigBlock block)
    {
        var index = (short)_blocks.Count;
        _blocks.Add(block);
        _blockOf.AsSpan(block.Start, block.Length).Fill(index);
    }

    public void AddSaved(int start, IReadOnlyList<(int Offset, int Width)> registers)
    {
        foreach (var (offset, width) in registers)
        {
            if (start + offset + width <= Size)
                _saved.Add((start + offset, width));
        }
    }

    public void NoteStandard(byte id, int start) => _standard.TryAdd(id, start);

    public void NoteExtended(ushort id, int start) => _extended.TryAdd(id, start);

    /// <summary>Where the hardware has its first capability of an id; 0 if it has none.</summary>
    public int Standard(byte id) => _standard.GetValueOrDefault(id);

    /// <summary>Where the hardware has its first extended capability of an id; 0 if it has none.</summary>
    public int Extended(ushort id) => _extended.GetValueOrDefault(id);
}
