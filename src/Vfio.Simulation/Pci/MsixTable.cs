namespace Vfio.Simulation.Pci;

/// <summary>The MSI-X table and pending bits as memory registers. Not thread-safe: <see cref="FunctionInterrupts"/> guards it.</summary>
internal sealed class MsixTable
{
    private const int DwordsPerEntry = Capabilities.Msix.EntrySize / 4;
    private const int VectorControl = 3;
    private const uint Masked = 1;
    private readonly uint[] _entries;
    private readonly uint[] _pending;

    internal MsixTable(int vectors)
    {
        _entries = new uint[vectors * DwordsPerEntry];
        // Pending bits come in qwords.
        _pending = new uint[(vectors + 63) / 64 * 2];
        Reset();
    }

    internal int TableBytes => _entries.Length * 4;

    internal int PendingBytes => _pending.Length * 4;

    internal uint ReadTable(int dword) => _entries[dword];

    internal uint ReadPending(int dword) => _pending[dword];

    /// <returns>The vector that the write unmasked; -1 for none.</returns>
    internal int WriteTable(int dword, uint value)
    {
        var vector = dword / DwordsPerEntry;
        if (dword % DwordsPerEntry != VectorControl)
        {
            _entries[dword] = value;
            return -1;
        }

        var was = IsMasked(vector);
        _entries[dword] = value & Masked;
        return was && !IsMasked(vector) ? vector : -1;
    }

    internal bool IsMasked(int vector) => (_entries[(vector * DwordsPerEntry) + VectorControl] & Masked) != 0;

    internal void SetMasked(int vector, bool masked) => _entries[(vector * DwordsPerEntry) + VectorControl] = masked ? Masked : 0;

    internal void SetPending(int vector) => _pending[vector >> 5] |= 1u << (vector & 31);

    internal bool TakePending(int vector)
    {
        var bit = 1u << (vector & 31);
        var was = (_pending[vector >> 5] & bit) != 0;
        _pending[vector >> 5] &= ~bit;
        return was;
    }

    /// <summary>Every entry masked, nothing pending.</summary>
    internal void Reset()
    {
        Array.Clear(_entries);
        Array.Clear(_pending);
        for (var i = VectorControl; i < _entries.Length; i += DwordsPerEntry)
            _entries[i] = Masked;
    }
}
