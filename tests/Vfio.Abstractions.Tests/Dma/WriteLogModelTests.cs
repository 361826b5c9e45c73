using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Tests.Dma;

/// <summary>The write log against a set of the log's pages, for ranges, reports and page sizes of every kind.</summary>
public sealed class WriteLogModelTests
{
    private const ulong Sector = 2048;

    [Fact]
    public void Marks_and_reports_agree_with_a_set_of_pages()
    {
        // Ranges far apart and next to each other, at the ends of the address space, and some that share a page of the log.
        var layouts = Gen.Elements<IovaRange[]>(
            [new(0, 0x40_0000)],
            [new(0x3000, 0x5000), new(0x8000, 0x2000), new(0x1_0000_0000, 0x900_0000)],
            [new(ulong.MaxValue - 0x1F_FFFF, 0x1F_F000), new(0x7000, 0x1000)],
            [new(0x1000, Sector), new(0x1000 + Sector, 3 * Sector), new(0x10_0000, 0x8000)]);
        var run = from layout in layouts
                  from logShift in Gen.Elements(11, 12, 13, 16)
                  where layout.All(r => ((r.Iova | r.Length) & ((1ul << logShift) - 1)) == 0)
                  from steps in Step(layout).ListOf(30)
                  select (layout, logShift, steps.ToList());
        Check.One(
            FsCheck.Config.QuickThrowOnFailure.WithMaxTest(400), Prop.ForAll(run.ToArbitrary(), r => Run(r.layout, r.logShift, r.Item3)));
    }

    private static Gen<Act> Step(IovaRange[] layout)
        => from kind in Gen.Frequency((4, Gen.Constant(0)), (3, Gen.Constant(1)))
           from range in Gen.Elements(layout)
           from place in Gen.Choose(-40, 1100)
           from fine in Gen.Elements(0, 0, 0, 1, 511, 2048, 4095)
           from length in Gen.Elements(1ul, 8ul, 4096ul, 4097ul, 0x1_0000ul, 0x4_3210ul, 0x100_0000ul, ulong.MaxValue)
           from shift in Gen.Elements(12, 12, 12, 13, 16, 21, 40)
           let near = unchecked((long)range.Iova + (place * 4096L) + fine)
           let iova = near < 0 && range.Iova < 0x8000_0000_0000_0000 ? 0 : unchecked((ulong)near)
           select new Act(kind, iova, length, shift);

    private static void Run(IovaRange[] ranges, int logShift, List<Act> acts)
    {
        var space = new DmaSpace();
        var log = space.WriteLog;
        var pageSize = 1ul << logShift;
        Assert.Equal(Errno.None, log.Start(ranges, ref pageSize).Error);
        Assert.Equal(Math.Max(4096, 1ul << logShift), pageSize);
        // A page of a range, as far as it lies in it.
        var dirty = new HashSet<(ulong First, ulong Last)>();
        foreach (var act in acts)
        {
            if (act.Kind == 0)
            {
                space.MarkWritten(act.Iova, act.Length);
                var last = Last(act.Iova, act.Length);
                foreach (var range in ranges)
                    dirty.UnionWith(Pages(range, act.Iova, last, pageSize));
            }
            else
            {
                Report(log, ranges, dirty, pageSize, act);
            }
        }
    }

    private static void Report(IDmaLogging log, IovaRange[] ranges, HashSet<(ulong First, ulong Last)> dirty, ulong pageSize, Act act)
    {
        var length = Math.Min(Math.Min(act.Length, 0x800_0000), ulong.MaxValue - act.Iova);
        if (length == 0)
            return;
        var last = act.Iova + (length - 1);
        var words = (int)(((length - 1) >> act.Shift >> 6) + 1);
        var (bitmap, expected) = (new ulong[words + 1], new ulong[words + 1]);
        // Bits that are there stay.
        bitmap[0] = expected[0] = 0x8000_0000_0000_0001 & (length >> act.Shift >= 64 ? ulong.MaxValue : 1);
        foreach (var page in dirty.Where(p => p.First <= last && p.Last >= act.Iova).ToList())
        {
            var first = (Math.Max(page.First, act.Iova) - act.Iova) >> act.Shift;
            var end = (Math.Min(page.Last, last) - act.Iova) >> act.Shift;
            for (var bit = first; bit <= end; bit++)
                expected[bit >> 6] |= 1ul << (int)bit;
            if (page.First >= act.Iova && page.Last <= last)
                dirty.Remove(page);
        }

        Assert.Equal(Errno.None, log.Report(act.Iova, length, 1ul << act.Shift, bitmap.AsSpan(..words)).Error);
        Assert.Equal(expected, bitmap);
    }

    private static IEnumerable<(ulong First, ulong Last)> Pages(IovaRange range, ulong first, ulong last, ulong pageSize)
    {
        var rangeLast = range.Iova + (range.Length - 1);
        if (first > rangeLast || last < range.Iova)
            yield break;
        var end = Math.Min(last, rangeLast) / pageSize;
        for (var page = Math.Max(first, range.Iova) / pageSize; page <= end; page++)
            yield return (Math.Max(page * pageSize, range.Iova), Math.Min((page * pageSize) + (pageSize - 1), rangeLast));
    }

    private static ulong Last(ulong iova, ulong length) => length - 1 > ulong.MaxValue - iova ? ulong.MaxValue : iova + (length - 1);

    private sealed record Act(int Kind, ulong Iova, ulong Length, int Shift);
}
