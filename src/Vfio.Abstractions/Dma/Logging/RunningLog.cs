namespace Vfio;

/// <summary>
/// A log that runs: two buffers, one of which is marked while the other is harvested. Marks take no lock, allocate nothing, and wait for
/// nobody; harvests are made by one caller at a time.
/// </summary>
/// <remarks>
/// <para>
/// A harvest turns the buffers around, has every processor finish what it has begun, and then takes the bits of the buffer that is now at
/// rest with plain loads and stores. One mark that had chosen that buffer before may still come too late, and be lost in it: whoever marks
/// looks at the turn again afterwards, and marks once more if it has changed. So a mark that was complete before the harvest began is in
/// it, and one that was not is in it or in the next.
/// </para>
/// <para>
/// Nothing orders a writer's data before the look at a bit that turns out to be set, nor before the look that finds no log at all. The
/// barrier of the harvest, and of the start, does: it runs on the writer's processor either before that look, which then sees the turn,
/// or after it, and then the data is visible before the harvest answers.
/// </para>
/// </remarks>
internal sealed unsafe class RunningLog
{
    // So that a mark takes less time than the shortest harvest: one is not begun again and again by a client that reports without a pause.
    private const ulong PieceBits = LogLayout.ChunkWords * 64;
    private readonly LogMemory _memory;
    private readonly LogBuffer[] _buffers;
    private long _turn;

    public RunningLog(LogLayout layout, LogMemory memory)
    {
        Layout = layout;
        _memory = memory;
        _buffers = [new(memory.Address, layout.Words), new(memory.Address + layout.Words, layout.Words)];
    }

    /// <summary>Its ranges and pages.</summary>
    public LogLayout Layout { get; }

    /// <summary>How often the buffers have been turned.</summary>
    internal long Turn => Volatile.Read(ref _turn);

    /// <summary>Where a test has a mark wait: it has seen the turn, and marked nothing.</summary>
    internal Action? TurnSeen { get; init; }

    /// <summary>Notes a write that has been made.</summary>
    /// <param name="first">First address.</param>
    /// <param name="last">Last address.</param>
    public void Mark(ulong first, ulong last)
    {
        var slots = Layout.Slots;
        for (var i = Layout.FirstEndingAtOrAfter(first); i < slots.Length && slots[i].First <= last; i++)
        {
            ref readonly var slot = ref slots[i];
            var start = ((ulong)slot.Word << 6) - slot.BasePage;
            var from = start + (Math.Max(first, slot.First) >> Layout.PageShift);
            var to = start + (Math.Min(last, slot.Last) >> Layout.PageShift);
            for (; to - from >= PieceBits; from += PieceBits)
                MarkPiece(from, from + (PieceBits - 1));
            MarkPiece(from, to);
        }

        GC.KeepAlive(_memory);
    }

    private void MarkPiece(ulong from, ulong to)
    {
        long turn;
        do
        {
            turn = Turn;
            TurnSeen?.Invoke();
        }
        while (!TryMark(turn, from, to));
    }

    /// <summary>Sets bits of the buffer that is marked in one turn.</summary>
    /// <returns>False if that turn is over: the bits may be lost.</returns>
    internal bool TryMark(long turn, ulong from, ulong to)
    {
        _buffers[turn & 1].Mark(from, to);
        return Turn == turn;
    }

    /// <summary>Sets a bit of a report for what was written since it was last asked for, and forgets it.</summary>
    /// <param name="report">What is asked for, and where it goes.</param>
    public void Harvest(DirtyReport report)
    {
        // What an earlier report did not ask for lies where it was when the buffers were turned: first what will be marked again.
        var turn = _turn;
        report.Take(Layout, _buffers[(turn + 1) & 1]);
        Volatile.Write(ref _turn, turn + 1);
        Interlocked.MemoryBarrierProcessWide();
        report.Take(Layout, _buffers[turn & 1]);
        GC.KeepAlive(_memory);
    }
}
