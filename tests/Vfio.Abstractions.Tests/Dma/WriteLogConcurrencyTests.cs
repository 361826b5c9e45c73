namespace Vfio.Tests.Dma;

/// <summary>Writers beside reports: what was written before a report is in it or in one before, however often the buffers are turned.</summary>
public sealed class WriteLogConcurrencyTests
{
    private const ulong Page = 4096;
    private const int Pages = 256, Rounds = 20_000;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_write_is_lost_to_the_reports_that_are_made_beside_it()
    {
        // Writers count up in pages; a reader takes what reports say is dirty. What it has at the end is what is there: as in a migration.
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var space = new DmaSpace();
        var memory = LocalMemory.Allocate(0, Pages * (int)Page);
        Assert.True(space.Map(memory).IsSuccess);
        var pageSize = Page;
        Assert.True(space.WriteLog.Start([new(0, Pages * Page)], ref pageSize).IsSuccess);

        var writers = Enumerable.Range(0, 2).Select(i => Task.Run(() => Write(space, i), deadline.Token)).ToArray();
        var copy = new int[Pages];
        var reports = 0;
        var bits = new ulong[Pages / 64];
        while (!Array.TrueForAll(writers, w => w.IsCompleted))
        {
            Report(space, memory, bits, copy, reports++);
            deadline.Token.ThrowIfCancellationRequested();
        }

        await Task.WhenAll(writers);
        // The device is stopped: the last report, all of it.
        Report(space, memory, bits, copy, windows: 1);
        Assert.True(reports > 10, $"{reports} reports were made beside the writers");
        for (var page = 0; page < Pages; page++)
            Assert.Equal(Value(memory, page), copy[page]);
        space.UnmapAll();
    }

    [Fact]
    public async Task A_mark_is_never_lost_between_writers_of_one_word_and_reports_of_it()
    {
        // A page is written again only once a report has told of it: a mark that is lost stays lost, and is found at the end.
        const int Marks = 400_000;
        var space = new DmaSpace();
        var pageSize = Page;
        Assert.True(space.WriteLog.Start([new(0, Pages * Page)], ref pageSize).IsSuccess);
        var (written, seen) = (new int[Pages], new int[Pages]);
        var done = 0;
        var writers = Enumerable.Range(0, 2).Select(seed => Task.Run(() => Mark(seed), Cancellation)).ToArray();
        var bits = new ulong[Pages / 64];
        while (Volatile.Read(ref done) < writers.Length)
            Harvest();
        await Task.WhenAll(writers);
        Harvest();
        Assert.Equal(written, seen);

        void Mark(int seed)
        {
            var left = Marks;
            for (var round = 0; left > 0 && round < 100 * Marks; round++)
            {
                var page = ((round * 2) + seed) % Pages;
                if (written[page] != Volatile.Read(ref seen[page]))
                    continue;
                written[page]++;
                space.MarkWritten((ulong)page * Page, 1);
                left--;
            }

            Interlocked.Increment(ref done);
        }

        void Harvest()
        {
            bits.AsSpan().Clear();
            Assert.True(space.WriteLog.Report(0, Pages * Page, Page, bits).IsSuccess);
            for (var page = 0; page < Pages; page++)
            {
                if ((bits[page >> 6] >> page & 1) != 0)
                    Volatile.Write(ref seen[page], Volatile.Read(ref written[page]));
            }
        }
    }

    [Fact]
    public void A_mark_that_comes_too_late_for_its_buffer_says_so()
    {
        var layout = LogLayout.Of([new(0, Pages * Page)], Page).Value;
        var memory = LogMemory.TryReserve(2 * layout.Words)!;
        var log = new RunningLog(layout, memory);
        var bits = new ulong[Pages / 64];
        var turn = log.Turn;
        Assert.True(log.TryMark(turn, 3, 3));
        for (var i = 0; i < 3; i++)
        {
            // Also when its buffer is the one that is marked once more.
            log.Harvest(new(0, (Pages * Page) - 1, 12, bits));
            Assert.False(log.TryMark(turn, 3, 3));
        }

        bits.AsSpan().Clear();
        log.Mark(3 * Page, 3 * Page);
        log.Harvest(new(0, (Pages * Page) - 1, 12, bits));
        Assert.Equal(8ul, bits[0]);
        GC.KeepAlive(memory);
    }

    [Fact]
    public void A_mark_that_waited_over_a_report_looks_at_the_turn_again_and_marks_once_more()
    {
        var layout = LogLayout.Of([new(0, Pages * Page)], Page).Value;
        var bits = new ulong[Pages / 64];
        var (looks, waits) = (0, 2);
        RunningLog log = null!;
        log = new(layout, LogMemory.TryReserve(2 * layout.Words)!)
        {
            TurnSeen = () =>
            {
                looks++;
                if (waits-- > 0)
                    log.Harvest(new(0, (Pages * Page) - 1, 12, bits));
            },
        };
        log.Mark(3 * Page, 3 * Page);
        Assert.Equal(3, looks);
        log.Harvest(new(0, (Pages * Page) - 1, 12, bits));
        Assert.Equal(8ul, bits[0]);
    }

    [Fact]
    public void Of_a_long_mark_only_the_piece_that_a_report_fell_into_is_marked_again()
    {
        // Otherwise a client that reports without a pause could have the mark begun anew for ever.
        const ulong Length = 64ul * LogLayout.ChunkWords * 64 * Page;
        var layout = LogLayout.Of([new(0, Length)], Page).Value;
        var bits = new ulong[layout.Words];
        var looks = 0;
        RunningLog log = null!;
        log = new(layout, LogMemory.TryReserve(2 * layout.Words)!)
        {
            TurnSeen = () =>
            {
                if (++looks is 10 or 20)
                    log.Harvest(new(0, Length - 1, 12, bits));
            },
        };
        log.Mark(5 * Page, Length - 1);
        Assert.Equal(64 + 2, looks);
        log.Harvest(new(0, Length - 1, 12, bits));
        Assert.Equal(~0x1Ful, bits[0]);
        Assert.False(bits.AsSpan(1).ContainsAnyExcept(ulong.MaxValue));
    }

    [Fact]
    public async Task What_has_returned_before_a_report_is_asked_for_is_in_it()
    {
        var space = new DmaSpace();
        var memory = LocalMemory.Allocate(0, Pages * (int)Page);
        Assert.True(space.Map(memory).IsSuccess);
        var pageSize = Page;
        Assert.True(space.WriteLog.Start([new(0, Pages * Page)], ref pageSize).IsSuccess);
        using var barrier = new Barrier(2);
        // The same page and its neighbours in the word, over and over: the bit is set, or being taken, while it is asked for.
        using var stop = new CancellationTokenSource();
        var noise = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
                space.MarkWritten(Page, 62 * Page);
        }, Cancellation);
        var writer = Task.Run(() =>
        {
            for (var i = 1; i <= 500; i++)
            {
                Assert.True(space.Write(0, BitConverter.GetBytes(i)).IsSuccess);
                barrier.SignalAndWait(TimeSpan.FromSeconds(30), Cancellation);
                barrier.SignalAndWait(TimeSpan.FromSeconds(30), Cancellation);
            }
        }, Cancellation);
        var bits = new ulong[Pages / 64];
        for (var i = 1; i <= 500; i++)
        {
            barrier.SignalAndWait(TimeSpan.FromSeconds(30), Cancellation);
            bits.AsSpan().Clear();
            Assert.True(space.WriteLog.Report(0, Pages * Page, Page, bits).IsSuccess);
            Assert.True((bits[0] & 1) != 0, $"write {i} was not reported");
            bits.AsSpan().Clear();
            Assert.True(space.WriteLog.Report(0, Pages * Page, Page, bits).IsSuccess);
            Assert.True((bits[0] & 1) == 0, $"write {i} was reported twice");
            barrier.SignalAndWait(TimeSpan.FromSeconds(30), Cancellation);
        }

        await stop.CancelAsync();
        await Task.WhenAll(noise, writer);
        space.UnmapAll();
    }

    [Fact]
    public async Task Starting_and_stopping_beside_writers_disturbs_nobody()
    {
        var space = new DmaSpace();
        Assert.True(space.Map(LocalMemory.Allocate(0, Pages * (int)Page)).IsSuccess);
        var writers = Enumerable.Range(0, 2).Select(i => Task.Run(() => Write(space, i), Cancellation)).ToArray();
        var bits = new ulong[Pages / 64];
        var starts = 0;
        while (!Array.TrueForAll(writers, w => w.IsCompleted))
        {
            var pageSize = Page;
            var log = starts++ % 2 == 0 ? space.WriteLog : space.CreateWriteLog();
            Assert.True(log.Start([new(0, (ulong)(1 + (starts % 4)) << 30)], ref pageSize).IsSuccess);
            Assert.True(log.Report(0, Pages * Page, Page, bits).IsSuccess);
            Assert.True(log.Stop().IsSuccess);
            if (starts % 16 == 0)
                GC.Collect();
        }

        await Task.WhenAll(writers);
        Assert.True(starts > 3);
        space.UnmapAll();
    }

    private static void Write(DmaSpace space, int seed)
    {
        var random = new Random(seed);
        Span<byte> data = stackalloc byte[sizeof(int)];
        for (var i = 1; i <= Rounds; i++)
        {
            // Each writer has pages of its own, in words that both mark.
            var iova = (ulong)((random.Next(Pages / 2) * 2) + seed) * Page;
            if (i % 2 == 0)
            {
                BitConverter.TryWriteBytes(data, i);
                Assert.True(space.Write(iova, data).IsSuccess);
            }
            else
            {
                Assert.True(space.TryAcquire(iova, sizeof(int), DmaAccess.Write, out var segment));
                using (segment)
                    BitConverter.TryWriteBytes(segment.Span, i);
            }
        }
    }

    private static void Report(DmaSpace space, LocalMemory memory, ulong[] bits, int[] copy, int windows)
    {
        bits.AsSpan().Clear();
        var parts = 1 << (windows % 3);
        var words = bits.Length / parts;
        for (var i = 0; i < parts; i++)
        {
            var length = (ulong)words * 64 * Page;
            Assert.True(space.WriteLog.Report((ulong)i * length, length, Page, bits.AsSpan(i * words, words)).IsSuccess);
        }

        for (var page = 0; page < Pages; page++)
        {
            if ((bits[page >> 6] >> page & 1) != 0)
                copy[page] = Value(memory, page);
        }
    }

    private static int Value(LocalMemory memory, int page)
        => Volatile.Read(ref System.Runtime.InteropServices.MemoryMarshal.AsRef<int>(memory.Span[(page * (int)Page)..]));
}
