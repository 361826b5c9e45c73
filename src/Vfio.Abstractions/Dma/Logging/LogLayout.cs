using System.Numerics;

namespace Vfio;

/// <summary>Which bit stands for which page of the ranges that are logged. Immutable.</summary>
internal sealed class LogLayout
{
    /// <summary>Words of bits that the summary has one bit for; a chunk is of one range alone.</summary>
    public const int ChunkWords = 512;

    /// <summary>
    /// The most bits of a log: 4 TiB of 4 KiB pages, or 128 MiB of memory in each of the two buffers, if all of it is ever written.
    /// </summary>
    public const ulong BitLimit = 1ul << 30;

    private const int SmallestShift = 12, CoarsestShift = 21;
    private readonly ulong[] _lasts;
    private readonly Slot[] _slots;

    private LogLayout(Slot[] slots, int shift, int words)
    {
        _slots = slots;
        _lasts = [.. slots.Select(slot => slot.Last)];
        PageShift = shift;
        Words = words;
    }

    /// <summary>Bytes of a page, as a power of two.</summary>
    public int PageShift { get; }

    /// <summary>Words of bits, a multiple of <see cref="ChunkWords"/>.</summary>
    public int Words { get; }

    /// <summary>The ranges, in order.</summary>
    public ReadOnlySpan<Slot> Slots => _slots;

    /// <summary>Lays ranges out, with pages that are coarser than wished for where there would be too many.</summary>
    /// <param name="ranges">At least one; none empty, wrapping or overlapping another.</param>
    /// <param name="pageSize">A power of two.</param>
    /// <returns>ENOMEM: too much to log.</returns>
    public static VfioResult<LogLayout> Of(ReadOnlySpan<IovaRange> ranges, ulong pageSize)
    {
        var sorted = ranges.ToArray();
        Array.Sort(sorted, (a, b) => a.Iova.CompareTo(b.Iova));
        var slots = new Slot[sorted.Length];
        for (var shift = Math.Max(SmallestShift, BitOperations.Log2(pageSize)); ; shift++)
        {
            var words = 0ul;
            for (var i = 0; i < sorted.Length && words <= BitLimit / 64; i++)
            {
                slots[i] = new(sorted[i], shift, (int)words);
                words += (slots[i].Words + (ChunkWords - 1)) & ~(ChunkWords - 1ul);
            }

            if (words <= BitLimit / 64)
                return new LogLayout(slots, shift, (int)words);
            if (shift >= CoarsestShift)
                return Errno.ENOMEM;
        }
    }

    /// <summary>The index of the first range that ends at or after an address; the number of ranges if none does.</summary>
    public int FirstEndingAtOrAfter(ulong iova)
    {
        var index = Array.BinarySearch(_lasts, iova);
        return index < 0 ? ~index : index;
    }

    /// <summary>
    /// A range, and where its bits begin: its first page is one of the first 64, so that equal pages have equal bit numbers.
    /// </summary>
    internal readonly struct Slot
    {
        public Slot(IovaRange range, int shift, int word)
        {
            First = range.Iova;
            Last = range.Iova + (range.Length - 1);
            BasePage = First >> shift & ~63ul;
            Words = (((Last >> shift) - BasePage) >> 6) + 1;
            Word = word;
        }

        public ulong First { get; }

        public ulong Last { get; }

        /// <summary>The page that bit 0 of the first word stands for.</summary>
        public ulong BasePage { get; }

        public ulong Words { get; }

        /// <summary>The first word.</summary>
        public int Word { get; }
    }
}
