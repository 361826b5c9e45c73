using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Tests.Dma;

/// <summary>The DMA space against a dictionary of pages.</summary>
public sealed class DmaSpaceModelTests
{
    private const int Page = 4096, Pages = 12;

    [Fact]
    public void Maps_unmaps_and_accesses_agree_with_a_dictionary_of_pages()
    {
        var step = from kind in Gen.Choose(0, 3)
                   from first in Gen.Choose(0, Pages - 1)
                   from count in Gen.Choose(1, Pages - first)
                   from access in Gen.Elements(DmaAccess.Read, DmaAccess.Write, DmaAccess.Read | DmaAccess.Write)
                   from inside in Gen.Choose(0, Page - 1)
                   select new Step(kind, first, count, access, inside);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(step.ListOf(40).ToArbitrary(), steps => Run([.. steps])));
    }

    private static void Run(List<Step> steps)
    {
        var space = new DmaSpace();
        var model = new Dictionary<int, (int Map, DmaAccess Access)>();
        var contents = new byte[Pages * Page];
        var maps = 0;
        byte next = 1;
        foreach (var step in steps)
        {
            var iova = (ulong)(step.First * Page);
            var size = step.Count * Page;
            var touched = Enumerable.Range(step.First, step.Count).ToArray();
            switch (step.Kind)
            {
                case 0:
                    var map = LocalMemory.Allocate(iova, size, step.Access);
                    var mapped = space.Map(map);
                    var isFree = touched.All(p => !model.ContainsKey(p));
                    Assert.Equal(isFree ? Errno.None : Errno.EEXIST, mapped.Error);
                    if (!isFree)
                        break;
                    maps++;
                    foreach (var page in touched)
                        model[page] = (maps, step.Access);
                    contents.AsSpan((int)iova, size).Clear();
                    break;
                case 1:
                    var hit = touched.Where(model.ContainsKey).Select(p => model[p].Map).ToHashSet();
                    var cut = model.Any(p => hit.Contains(p.Value.Map) && !touched.Contains(p.Key));
                    var unmapped = space.Unmap(iova, iova + (ulong)size - 1);
                    Assert.Equal(cut ? Errno.EINVAL : Errno.None, unmapped.Error);
                    if (cut)
                        break;
                    Assert.Equal((ulong)touched.Count(model.ContainsKey) * Page, unmapped.Value);
                    foreach (var page in touched)
                        model.Remove(page);
                    break;
                default:
                    Access(space, model, contents, step, ref next);
                    break;
            }

            Assert.Equal(model.Values.Select(v => v.Map).Distinct().Count(), space.Count);
        }

        space.UnmapAll();
        Assert.Equal(0, space.Count);
    }

    private static void Access(DmaSpace space, Dictionary<int, (int Map, DmaAccess Access)> model, byte[] contents, Step step, ref byte next)
    {
        var start = (step.First * Page) + step.Inside;
        var length = Math.Min(step.Count * Page, (Pages * Page) - start);
        var pages = Enumerable.Range(start / Page, ((start + length - 1) / Page) - (start / Page) + 1).ToArray();
        bool Allowed(DmaAccess access) => pages.All(p => model.TryGetValue(p, out var page) && (page.Access & access) == access);

        var acquired = space.TryAcquire((ulong)start, (ulong)length, step.Access, out var segment);
        Assert.Equal(Allowed(step.Access) && pages.Select(p => model[p].Map).Distinct().Count() == 1, acquired);
        if (acquired)
            segment.Dispose();

        if (step.Kind == 2)
        {
            var data = new byte[length];
            data.AsSpan().Fill(next++);
            var written = space.Write((ulong)start, data);
            Assert.Equal(Allowed(DmaAccess.Write) ? Errno.None : Errno.EFAULT, written.Error);
            // What of it arrived before the first page that refused it.
            foreach (var page in pages)
            {
                if (!model.TryGetValue(page, out var at) || !at.Access.HasFlag(DmaAccess.Write))
                    break;
                var from = Math.Max(start, page * Page);
                contents.AsSpan(from, Math.Min(start + length, (page + 1) * Page) - from).Fill(data[0]);
            }
        }
        else
        {
            var data = new byte[length];
            var read = space.Read((ulong)start, data);
            Assert.Equal(Allowed(DmaAccess.Read) ? Errno.None : Errno.EFAULT, read.Error);
            if (read.IsSuccess)
                Assert.True(contents.AsSpan(start, length).SequenceEqual(data));
        }
    }

    private sealed record Step(int Kind, int First, int Count, DmaAccess Access, int Inside);
}
