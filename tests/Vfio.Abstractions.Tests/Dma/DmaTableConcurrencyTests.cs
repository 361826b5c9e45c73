namespace Vfio.Tests.Dma;

/// <summary>Lookups beside a writer that splits and merges chunks all the time.</summary>
public sealed class DmaTableConcurrencyTests
{
    private const int Slots = 4_000, Rounds = 60, Readers = 2;
    private const ulong Page = 4096, SlotSize = 4 * Page;

    [Fact]
    public async Task Maps_that_stay_are_always_found_and_others_never_in_a_wrong_place()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var space = new DmaSpace();
        for (var slot = 0; slot < Slots; slot += 10)
            Assert.True(space.Map(Fake(slot)).IsSuccess);
        using var started = new CountdownEvent(Readers);
        var isOver = false;
        var readers = Enumerable.Range(0, Readers).Select(seed => Task.Factory.StartNew(
            () =>
            {
                var random = new Random(seed);
                var found = 0;
                started.Signal();
                while (!Volatile.Read(ref isOver))
                {
                    var slot = random.Next(Slots);
                    var iova = ((ulong)slot * SlotSize) + (ulong)random.Next((int)SlotSize);
                    var isInside = iova % SlotSize < Page;
                    var map = space.Find(iova);
                    Assert.True(map is not null || !isInside || slot % 10 != 0, $"slot {slot} is mapped and was not found");
                    Assert.True(map is null || (isInside && map.Iova == (ulong)slot * SlotSize));
                    if (!space.TryAcquire(iova, 1, DmaAccess.Read, out var segment))
                        continue;
                    Assert.Equal(iova, segment.Iova);
                    segment.Dispose();
                    found++;
                }

                return found;
            },
            cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();

        started.Wait(cancellation);
        var most = 0;
        try
        {
            for (var round = 0; round < Rounds; round++)
            {
                // Up, then down in another order: chunks are begun at both ends and divided in the middle.
                for (var i = 0; i < Slots; i++)
                {
                    var slot = round % 2 == 0 ? i : Slots - 1 - i;
                    if (slot % 10 != 0)
                        Assert.True(space.Map(Fake(slot)).IsSuccess);
                }

                Assert.Equal(Slots, space.Count);
                most = Math.Max(most, space.ChunkCount);
                for (var slot = 0; slot < Slots; slot += 10)
                {
                    var first = (ulong)(slot + 1) * SlotSize;
                    Assert.Equal(9 * Page, space.Unmap(first, first + (9 * SlotSize) - 1).Value);
                }
            }
        }
        finally
        {
            Volatile.Write(ref isOver, true);
        }

        foreach (var found in await Task.WhenAll(readers).WaitAsync(TimeSpan.FromSeconds(30), cancellation))
            Assert.NotEqual(0, found);
        Assert.True(most >= Slots / DmaTable.ChunkCapacity);
        Assert.True(space.ChunkCount < most);
        Assert.Equal(Slots / 10, space.Count);
    }

    // Nothing touches the memory.
    private static unsafe DmaMap Fake(int slot) => new((ulong)slot * SlotSize, Page, DmaAccess.Read, (void*)Page);
}
