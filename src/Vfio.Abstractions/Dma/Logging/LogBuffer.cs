using System.Numerics;
using System.Runtime.CompilerServices;

namespace Vfio;

/// <summary>
/// The bits of a log, and a summary that says which chunks of them have any. Marking takes no lock: many may mark at once, and words that
/// are set already are only read.
/// </summary>
internal sealed unsafe class LogBuffer(ulong* words, int count)
{
    private readonly ulong[] _summary = new ulong[((count / LogLayout.ChunkWords) + 63) / 64];

    /// <summary>A word of bits.</summary>
    public ulong* Words => words;

    /// <summary>The first chunk at or after one, and before an end, that may have bits; the end if there is none.</summary>
    public int Next(int chunk, int end)
    {
        while (chunk < end)
        {
            var rest = _summary[chunk >> 6] >> chunk;
            if (rest != 0)
                return Math.Min(end, chunk + BitOperations.TrailingZeroCount(rest));
            chunk = (chunk | 63) + 1;
        }

        return end;
    }

    /// <summary>Says that a chunk has no bits. Only while nobody relies on marks in this buffer.</summary>
    public void SetNone(int chunk) => _summary[chunk >> 6] &= ~(1ul << chunk);

    /// <summary>Sets bits.</summary>
    /// <param name="first">The first bit, from the start of the buffer.</param>
    /// <param name="last">The last bit.</param>
    public void Mark(ulong first, ulong last)
    {
        var (from, to) = ((int)(first >> 6), (int)(last >> 6));
        var (head, tail) = (ulong.MaxValue << (int)first, ulong.MaxValue >> ~(int)last);
        if (from == to)
        {
            Set(ref words[from], head & tail);
        }
        else
        {
            Set(ref words[from], head);
            // Whoever else sets bits of such a word sets some of the same.
            for (var i = from + 1; i < to; i++)
                Volatile.Write(ref words[i], ulong.MaxValue);
            Set(ref words[to], tail);
        }

        // After the bits: whoever finds the chunk finds them. Also where the bits were there: the chunk may have been declared empty since.
        for (var chunk = from / LogLayout.ChunkWords; chunk <= to / LogLayout.ChunkWords; chunk++)
            Set(ref _summary[chunk >> 6], 1ul << chunk);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Set(ref ulong word, ulong bits)
    {
        if ((Volatile.Read(ref word) & bits) != bits)
            Interlocked.Or(ref word, bits);
    }
}
