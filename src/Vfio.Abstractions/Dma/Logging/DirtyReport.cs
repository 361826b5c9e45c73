using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Vfio;

/// <summary>
/// A report of written pages: takes bits out of a log's buffer, and sets those of the client's bitmap that stand for the same bytes.
/// </summary>
internal readonly unsafe ref struct DirtyReport
{
    private readonly ulong _first;
    private readonly ulong _last;
    private readonly int _shift;
    private readonly Span<ulong> _bitmap;

    /// <param name="first">First address: page 0 of the report begins there.</param>
    /// <param name="last">Last address.</param>
    /// <param name="shift">Bytes of a page of the report, as a power of two.</param>
    /// <param name="bitmap">Has a bit for each page.</param>
    public DirtyReport(ulong first, ulong last, int shift, Span<ulong> bitmap)
    {
        _first = first;
        _last = last;
        _shift = shift;
        _bitmap = bitmap;
    }

    /// <summary>Takes what is asked for out of a buffer that nobody relies on.</summary>
    public void Take(LogLayout layout, LogBuffer buffer)
    {
        var slots = layout.Slots;
        for (var i = layout.FirstEndingAtOrAfter(_first); i < slots.Length && slots[i].First <= _last; i++)
            Take(new Part(slots[i], layout.PageShift, Math.Max(_first, slots[i].First), Math.Min(_last, slots[i].Last)), buffer);
    }

    private void Take(in Part part, LogBuffer buffer)
    {
        var firstChunk = part.Slot.Word / LogLayout.ChunkWords;
        var end = firstChunk + (int)(part.To >> 6) / LogLayout.ChunkWords + 1;
        var chunk = firstChunk + (int)(part.From >> 6) / LogLayout.ChunkWords;
        while ((chunk = buffer.Next(chunk, end)) < end)
        {
            var word = (chunk - firstChunk) * LogLayout.ChunkWords;
            TakeChunk(part, buffer.Words + part.Slot.Word, word);
            if (part.IsForgotten(word))
                buffer.SetNone(chunk);
            chunk++;
        }
    }

    private void TakeChunk(in Part part, ulong* words, int chunkWord)
    {
        var word = Math.Max(chunkWord, (int)(part.From >> 6));
        var end = Math.Min(chunkWord + LogLayout.ChunkWords, (int)(part.To >> 6) + 1);
        // Inside, every page of a word is asked for as a whole.
        var inner = Math.Clamp((int)((part.ForgetFrom + 63) >> 6), word, end);
        var innerEnd = Math.Clamp((int)(part.ForgetEnd >> 6), inner, end);
        for (; word < inner; word++)
            TakeEdge(part, words, word);
        // Pages of the report that are the log's own: words are added to words.
        var bit = ((ulong)word << 6) + part.Slot.BasePage - (_first >> part.Shift);
        if (IsSame(part) && (bit & 63) == 0)
            Move(words + word, (int)(bit >> 6), innerEnd - word);
        else
            TakeInner(part, words, word, innerEnd);
        for (word = innerEnd; word < end; word++)
            TakeEdge(part, words, word);
    }

    private void TakeEdge(in Part part, ulong* words, int word)
    {
        var bits = words[word] & Part.Bits(word, part.From, part.To + 1);
        words[word] &= ~Part.Bits(word, part.ForgetFrom, part.ForgetEnd);
        if (bits != 0)
            Add(part, word, bits);
    }

    private void TakeInner(in Part part, ulong* words, int word, int end)
    {
        for (; word < end; word++)
        {
            var bits = words[word];
            if (bits == 0)
                continue;
            words[word] = 0;
            Add(part, word, bits);
        }
    }

    private void Move(ulong* from, int to, int count)
    {
        if (count == 0)
            return;
        ref var target = ref MemoryMarshal.GetReference(_bitmap.Slice(to, count));
        var i = 0;
        for (; i <= count - Vector256<ulong>.Count; i += Vector256<ulong>.Count)
        {
            var bits = Vector256.Load(from + i);
            if (bits == default)
                continue;
            (bits | Vector256.LoadUnsafe(ref target, (nuint)i)).StoreUnsafe(ref target, (nuint)i);
            Vector256<ulong>.Zero.Store(from + i);
        }

        for (; i < count; i++)
        {
            Unsafe.Add(ref target, i) |= from[i];
            from[i] = 0;
        }
    }

    private bool IsSame(in Part part) => part.Shift == _shift && (_first & ((1ul << _shift) - 1)) == 0;

    private void Add(in Part part, int word, ulong bits)
    {
        var page = part.Slot.BasePage + ((ulong)word << 6);
        if (IsSame(part))
        {
            AddShifted((long)(page - (_first >> _shift)), bits);
            return;
        }

        // Run by run: the bytes of a run of the log's pages, and the report's pages that they lie in.
        for (var at = 0; bits != 0;)
        {
            var skip = BitOperations.TrailingZeroCount(bits);
            var run = BitOperations.TrailingZeroCount(~(bits >> skip));
            at += skip;
            var first = Math.Max(part.First, (page + (ulong)at) << part.Shift);
            at += run;
            var last = Math.Min(part.Last, ((page + (ulong)at) << part.Shift) - 1);
            AddRun((first - _first) >> _shift, (last - _first) >> _shift);
            bits = skip + run == 64 ? 0 : bits >> (skip + run);
        }
    }

    private void AddShifted(long at, ulong bits)
    {
        if (at < 0)
        {
            _bitmap[0] |= bits >> (int)-at;
            return;
        }

        var (word, shift) = ((int)(at >> 6), (int)at & 63);
        _bitmap[word] |= bits << shift;
        if (shift != 0 && bits >> (64 - shift) is var rest and not 0)
            _bitmap[word + 1] |= rest;
    }

    private void AddRun(ulong first, ulong last)
    {
        var (from, to) = ((int)(first >> 6), (int)(last >> 6));
        var (head, tail) = (ulong.MaxValue << (int)first, ulong.MaxValue >> ~(int)last);
        if (from == to)
        {
            _bitmap[from] |= head & tail;
            return;
        }

        _bitmap[from] |= head;
        _bitmap[(from + 1)..to].Fill(ulong.MaxValue);
        _bitmap[to] |= tail;
    }

    /// <summary>What is asked for of one range of the log; bits are counted from the range's first word.</summary>
    private readonly ref struct Part
    {
        private readonly ulong _slotFrom;
        private readonly ulong _slotTo;

        public Part(in LogLayout.Slot slot, int shift, ulong first, ulong last)
        {
            (Slot, Shift, First, Last) = (slot, shift, first, last);
            From = (first >> shift) - slot.BasePage;
            To = (last >> shift) - slot.BasePage;
            _slotFrom = (slot.First >> shift) - slot.BasePage;
            _slotTo = (slot.Last >> shift) - slot.BasePage;
            var inPage = (1ul << shift) - 1;
            ForgetFrom = first == slot.First || (first & inPage) == 0 ? From : From + 1;
            ForgetEnd = last == slot.Last || (last & inPage) == inPage ? To + 1 : To;
        }

        public LogLayout.Slot Slot { get; }

        public int Shift { get; }

        public ulong First { get; }

        public ulong Last { get; }

        /// <summary>The first bit that is reported.</summary>
        public ulong From { get; }

        /// <summary>The last bit that is reported.</summary>
        public ulong To { get; }

        /// <summary>The first bit that is forgotten: a page that is asked for in part stays for who asks for the rest of it.</summary>
        public ulong ForgetFrom { get; }

        /// <summary>Behind the last bit that is forgotten; not above <see cref="ForgetFrom"/> where none is.</summary>
        public ulong ForgetEnd { get; }

        public static ulong Bits(int word, ulong from, ulong end)
        {
            var first = (ulong)word << 6;
            if (from >= end || end <= first || from > first + 63)
                return 0;
            var bits = from > first ? ulong.MaxValue << (int)(from - first) : ulong.MaxValue;
            return end <= first + 63 ? bits & ~(ulong.MaxValue << (int)(end - first)) : bits;
        }

        /// <summary>Whether nothing of a chunk is left once the part has been taken out of it.</summary>
        public bool IsForgotten(int chunkWord)
        {
            var first = (ulong)chunkWord << 6;
            return ForgetFrom <= Math.Max(first, _slotFrom) && ForgetEnd > Math.Min(first + (LogLayout.ChunkWords << 6) - 1, _slotTo);
        }
    }
}
