using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Tests.Dma;

/// <summary>
/// The DMA space with thousands of maps, in and out in runs, against an array of pages that ends at the last address there is.
/// </summary>
public sealed class DmaTableModelTests
{
    private const int Pages = 6000, MostPagesOfAMap = 3;
    private const ulong Page = 4096, Base = unchecked(0ul - (Pages * Page));

    private enum Kind
    {
        MapUpwards,
        MapDownwards,
        MapScattered,
        Unmap,
        UnmapScattered,
        UnmapAll,
    }

    [Fact]
    public void Thousands_of_maps_in_chunks_agree_with_an_array_of_pages()
    {
        var kind = Gen.Frequency(
            (3, Gen.Constant(Kind.MapUpwards)), (3, Gen.Constant(Kind.MapDownwards)), (3, Gen.Constant(Kind.MapScattered)),
            (4, Gen.Constant(Kind.Unmap)), (2, Gen.Constant(Kind.UnmapScattered)), (1, Gen.Constant(Kind.UnmapAll)));
        var step = from what in kind
                   from first in Gen.Choose(0, Pages - 1)
                   from count in Gen.Choose(1, Pages - first)
                   from size in Gen.Choose(1, MostPagesOfAMap)
                   from seed in Gen.Choose(0, int.MaxValue)
                   select new Step(what, first, count, size, seed);
        var (splits, merges) = (0, 0);
        var property = Prop.ForAll(step.ListOf(30).ToArbitrary(), steps =>
        {
            var run = new Run();
            foreach (var one in steps)
                run.Take(one);
            splits += run.Splits;
            merges += run.Merges;
        });
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(60), property);
        Assert.True(splits > 100 && merges > 100, $"{splits} splits and {merges} merges are too few to tell anything");
    }

    private sealed record Step(Kind Kind, int First, int Count, int Size, int Seed);

    private sealed class Run
    {
        private readonly DmaSpace _space = new();
        private readonly DmaMap?[] _pages = new DmaMap?[Pages];

        public int Splits { get; private set; }

        public int Merges { get; private set; }

        public void Take(Step step)
        {
            var random = new Random(step.Seed);
            var end = step.First + step.Count;
            switch (step.Kind)
            {
                case Kind.MapUpwards:
                    for (var page = step.First; page < end; page += step.Size)
                        Map(page, step.Size);
                    break;
                case Kind.MapDownwards:
                    for (var page = end - 1; page >= step.First; page -= step.Size)
                        Map(page, step.Size);
                    break;
                case Kind.MapScattered:
                    for (var i = 0; i < step.Count; i++)
                        Map(random.Next(step.First, end), random.Next(MostPagesOfAMap) + 1);
                    break;
                case Kind.UnmapScattered:
                    for (var i = 0; i < step.Count; i++)
                        Unmap(random.Next(step.First, end), random.Next(MostPagesOfAMap) + 1);
                    break;
                case Kind.Unmap:
                    Unmap(step.First, step.Count);
                    break;
                case Kind.UnmapAll:
                    _space.UnmapAll();
                    Array.Clear(_pages);
                    Assert.Equal(0, _space.Count);
                    break;
            }

            Check();
        }

        private unsafe void Map(int first, int size)
        {
            size = Math.Min(size, Pages - first);
            var range = _pages.AsSpan(first, size);
            // Nothing of this test touches the memory.
            var map = new DmaMap(Base + ((ulong)first * Page), (ulong)size * Page, DmaAccess.Read, (void*)Page);
            var chunks = _space.ChunkCount;
            var isFree = range.IndexOfAnyExcept((DmaMap?)null) < 0;
            Assert.Equal(isFree ? Errno.None : Errno.EEXIST, _space.Map(map).Error);
            if (!isFree)
                return;
            range.Fill(map);
            Splits += _space.ChunkCount > chunks ? 1 : 0;
        }

        private void Unmap(int first, int size)
        {
            size = Math.Min(size, Pages - first);
            var range = _pages.AsSpan(first, size);
            var cutsFirst = range[0] is not null && first > 0 && _pages[first - 1] == range[0];
            var cutsLast = range[^1] is not null && first + size < Pages && _pages[first + size] == range[^1];
            var (chunks, count) = (_space.ChunkCount, _space.Count);
            var start = Base + ((ulong)first * Page);
            var unmapped = _space.Unmap(start, start + (((ulong)size * Page) - 1));
            Assert.Equal(cutsFirst || cutsLast ? Errno.EINVAL : Errno.None, unmapped.Error);
            if (!unmapped.IsSuccess)
                return;
            Assert.Equal((ulong)(size - range.Count((DmaMap?)null)) * Page, unmapped.Value);
            range.Clear();
            Merges += _space.ChunkCount < chunks && _space.Count > 0 && _space.Count < count ? 1 : 0;
        }

        private void Check()
        {
            var maps = 0;
            for (var page = 0; page < Pages; page++)
            {
                var expected = _pages[page];
                var first = Base + ((ulong)page * Page);
                Assert.Same(expected, _space.Find(first));
                Assert.Same(expected, _space.Find(first + (Page - 1)));
                if (expected is not null && (page == 0 || _pages[page - 1] != expected))
                    maps++;
            }

            Assert.Equal(maps, _space.Count);
            Assert.Null(_space.Find(0));
            Assert.Null(_space.Find(Base - 1));

            // Two neighbours together hold more than half of what one may.
            Assert.InRange(_space.ChunkCount, maps == 0 ? 0 : 1, 1 + (maps / (DmaTable.ChunkCapacity / 4)));
        }
    }
}
