using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Tests.Migration;

public sealed class IovaRangesTests
{
    [Fact]
    public void Neighbours_with_the_smallest_gap_are_combined_first_and_the_lower_of_equal_ones()
    {
        IovaRange[] ranges = [new(100, 10), new(0, 10), new(20, 10), new(40, 10), new(200, 10)];
        Assert.Equal([new(0, 30), new(40, 10), new(100, 10), new(200, 10)], IovaRanges.Combine(ranges, 4));
        Assert.Equal([new(0, 50), new(100, 10), new(200, 10)], IovaRanges.Combine(ranges, 3));
        Assert.Equal([new(0, 110), new(200, 10)], IovaRanges.Combine(ranges, 2));
        Assert.Equal([new(0, 210)], IovaRanges.Combine(ranges, 1));
        Assert.Equal([new(0, 10), new(20, 10), new(40, 10), new(100, 10), new(200, 10)], IovaRanges.Combine(ranges, 5));
    }

    [Fact]
    public void Ranges_as_far_apart_as_can_be_are_combined()
        => Assert.Equal([new(0, ulong.MaxValue)], IovaRanges.Combine([new(ulong.MaxValue - 1, 1), new(0, 1)], 1));

    [Fact]
    public void There_is_nothing_to_combine_in_nothing() => Assert.Empty(IovaRanges.Combine([], 1));

    [Fact]
    public void What_is_combined_covers_what_was_given_and_no_gap_that_stays_is_smaller_than_one_that_went()
    {
        var run = from sizes in Gen.Choose(1, 50).Select(i => (ulong)i).ListOf(40)
                  from gaps in Gen.Choose(0, 1000).Select(i => (ulong)i).ListOf(sizes.Count)
                  from limit in Gen.Choose(1, 45)
                  select (sizes.ToArray(), gaps.ToArray(), limit);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(run.ToArbitrary(), r => Run(r.Item1, r.Item2, r.limit)));
    }

    private static void Run(ulong[] sizes, ulong[] gaps, int limit)
    {
        var ranges = new List<IovaRange>();
        var at = 0ul;
        for (var i = 0; i < sizes.Length; i++)
        {
            ranges.Add(new(at + gaps[i], sizes[i]));
            at += gaps[i] + sizes[i];
        }

        var combined = IovaRanges.Combine([.. ranges.AsEnumerable().Reverse()], limit);
        Assert.Equal(Math.Min(limit, ranges.Count), combined.Length);
        Assert.All(ranges, r => Assert.Single(combined, c => c.Iova <= r.Iova && c.Iova + c.Length >= r.Iova + r.Length));
        var inner = gaps.Skip(1).Order().ToArray();
        var left = combined.Zip(combined.Skip(1), (a, b) => b.Iova - a.Iova - a.Length).Order();
        Assert.Equal(inner.Skip(ranges.Count - combined.Length), left);
    }
}
