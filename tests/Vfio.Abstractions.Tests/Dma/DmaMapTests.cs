namespace Vfio.Tests.Dma;

public sealed class DmaMapTests
{
    [Fact]
    public async Task An_unmap_returns_only_when_nobody_holds_the_range()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var space = new DmaSpace();
        var map = new Watched(0x10000, 0x1000);
        Assert.True(space.Map(map).IsSuccess);
        Assert.True(space.TryAcquire(0x10800, 16, DmaAccess.Write, out var first));
        Assert.True(space.TryAcquire(0x10000, 0x1000, DmaAccess.Read, out var second));

        var unmap = Task.Run(() => space.Unmap(0, ulong.MaxValue), cancellation);
        await map.Unmapping.Task.WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        Assert.False(space.TryAcquire(0x10000, 1, DmaAccess.Read, out _));
        Assert.False(unmap.IsCompleted);
        first.Span[0] = 1;
        first.Dispose();
        Assert.False(map.IsUnmapped);
        second.Dispose();
        Assert.Equal(0x1000ul, (await unmap.WaitAsync(TimeSpan.FromSeconds(30), cancellation)).Value);
        Assert.True(map.IsUnmapped);
    }

    [Fact]
    public void A_space_says_what_is_mapped_in_the_order_of_the_addresses()
    {
        var space = new DmaSpace();
        Assert.Empty(space.GetMaps());
        DmaMap[] maps = [.. Enumerable.Range(0, 600).Select(i => LocalMemory.Allocate((ulong)(i * 7919 % 600) << 13, 0x1000))];
        Assert.All(maps, map => Assert.True(space.Map(map).IsSuccess));
        Assert.Equal(maps.OrderBy(map => map.Iova), space.GetMaps());
        Assert.True(space.Unmap(0x2000, 0x2000 + 0xFFF).IsSuccess);
        Assert.Equal(maps.Where(map => map.Iova != 0x2000).OrderBy(map => map.Iova), space.GetMaps());
        space.UnmapAll();
        Assert.Empty(space.GetMaps());
    }

    [Fact]
    public async Task Holders_never_touch_memory_that_was_given_back()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var space = new DmaSpace();
        using var stop = new CancellationTokenSource();
        var holders = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            var held = 0;
            while (!stop.IsCancellationRequested)
            {
                if (!space.TryAcquire(0x10000, 4096, DmaAccess.Read | DmaAccess.Write, out var segment))
                    continue;
                // A read of memory that is gone would end the process.
                segment.Span[^1]++;
                segment.Dispose();
                held++;
            }

            return held;
        }, cancellation)).ToArray();
        for (var i = 0; i < 2_000; i++)
        {
            Assert.True(space.Map(LocalMemory.Allocate(0x10000, 4096)).IsSuccess);
            Assert.Equal(4096ul, space.Unmap(0x10000, 0x10FFF).Value);
        }

        await stop.CancelAsync();
        await Task.WhenAll(holders).WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        Assert.Equal(0, space.Count);
    }

    [Fact]
    public void The_last_address_of_all_can_be_mapped_and_a_range_that_wraps_cannot()
    {
        var space = new DmaSpace();
        Assert.True(space.Map(LocalMemory.Allocate(ulong.MaxValue - 4095, 4096)).IsSuccess);
        Assert.True(space.TryAcquire(ulong.MaxValue, 1, DmaAccess.Read, out var segment));
        segment.Dispose();
        Assert.False(space.TryAcquire(ulong.MaxValue, 2, DmaAccess.Read, out _));
        Assert.Equal(Errno.EFAULT, space.Read(ulong.MaxValue, new byte[2]).Error);
        Assert.False(space.TryAcquire(0, 0, DmaAccess.Read, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => LocalMemory.Allocate(ulong.MaxValue - 4094, 4096));
        space.UnmapAll();
        Assert.Equal(0, space.Count);
    }

    [Fact]
    public void A_transfer_over_the_last_address_does_not_go_on_at_the_first()
    {
        const ulong LastPage = ulong.MaxValue - 0xFFF;
        var space = new DmaSpace();
        Assert.True(space.Map(LocalMemory.Allocate(0, 4096)).IsSuccess);
        Assert.True(space.Map(LocalMemory.Allocate(LastPage, 4096)).IsSuccess);

        Assert.True(space.Write(LastPage, new byte[4096]).IsSuccess);
        Assert.Equal(Errno.EFAULT, space.Write(LastPage, new byte[4097]).Error);
        Assert.Equal(Errno.EFAULT, space.Read(ulong.MaxValue, new byte[2]).Error);
        space.UnmapAll();
    }

    [Fact]
    public void A_lookup_allocates_nothing()
    {
        var space = new DmaSpace();
        for (var i = 0ul; i < 100; i++)
            space.Map(LocalMemory.Allocate(i * 8192, 4096));
        var bytes = new byte[64];
        long before = 0;
        for (var i = 0; i < 200; i++)
        {
            if (i == 100)
                before = GC.GetAllocatedBytesForCurrentThread();
            Assert.True(space.TryAcquire(8192 * 50, 4096, DmaAccess.Write, out var segment));
            segment.Dispose();
            _ = space.Read(8192 * 20, bytes);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        space.UnmapAll();
    }

    private sealed unsafe class Watched : DmaMap
    {
        private readonly LocalMemory _memory;

        public Watched(ulong iova, int size)
            : this(iova, LocalMemory.Allocate(iova, size))
        {
        }

        private Watched(ulong iova, LocalMemory memory)
            : base(iova, memory.Size, DmaAccess.Read | DmaAccess.Write, System.Runtime.CompilerServices.Unsafe.AsPointer(ref memory.Span[0]))
            => _memory = memory;

        public TaskCompletionSource Unmapping { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsUnmapped { get; private set; }

        private void Free()
        {
            var space = new DmaSpace();
            space.Map(_memory);
            space.UnmapAll();
        }

        protected override void OnUnmapping() => Unmapping.SetResult();

        protected override void OnUnmapped()
        {
            IsUnmapped = true;
            Free();
        }
    }
}
