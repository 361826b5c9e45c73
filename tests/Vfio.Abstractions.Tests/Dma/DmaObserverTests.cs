using Vfio.Native;

namespace Vfio.Tests.Dma;

public sealed class DmaObserverTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void What_is_mapped_already_is_told_in_order_before_what_comes()
    {
        var space = new DmaSpace();
        Map(space, 0x30000);
        Map(space, 0x10000);
        var observer = new Noting();

        using var following = space.Observe(observer);
        Assert.Equal(["map 10000", "map 30000"], observer.Calls);
        Map(space, 0x20000);
        space.Unmap(0x10000, 0x2FFFF);
        Assert.Equal(["map 10000", "map 30000", "map 20000", "unmap 10000", "unmap 20000"], observer.Calls);
    }

    [Fact]
    public void Nothing_is_told_once_the_following_has_ended()
    {
        var space = new DmaSpace();
        var observer = new Noting();
        Map(space, 0x10000);
        space.Observe(observer)!.Dispose();

        Map(space, 0x20000);
        space.UnmapAll();
        Assert.Equal(["map 10000"], observer.Calls);
    }

    [Fact]
    public void A_map_that_an_observer_cannot_have_is_undone_for_all()
    {
        var space = new DmaSpace();
        var first = new Noting();
        var last = new Noting();
        using var one = space.Observe(first);
        using var two = space.Observe(new Noting { Answer = Errno.ENOSPC });
        using var three = space.Observe(last);
        var map = new Watched(0x10000);

        Assert.Equal(Errno.ENOSPC, space.Map(map).Error);
        Assert.Equal(0, space.Count);
        Assert.False(space.TryAcquire(0x10000, 1, DmaAccess.Read, out _));
        Assert.Equal(["map 10000", "unmap 10000"], first.Calls);
        Assert.Empty(last.Calls);
        // It never was the space's: whoever made it gives its memory back.
        Assert.False(map.IsUnmapped);
        map.Discard();
    }

    [Fact]
    public void An_observer_that_cannot_have_what_is_mapped_already_is_told_of_nothing_more()
    {
        var space = new DmaSpace();
        Map(space, 0x10000);
        var observer = new Noting { Answer = Errno.EMFILE };

        Assert.Equal(Errno.EMFILE, Assert.Throws<VfioException>(() => space.Observe(observer)).Error);
        observer.Calls.Clear();
        space.UnmapAll();
        Assert.Empty(observer.Calls);
    }

    [Fact]
    public async Task A_range_is_not_found_and_its_transfers_have_ended_when_the_observer_is_told_and_its_memory_is_still_there()
    {
        var space = new DmaSpace();
        var map = new Watched(0x10000);
        Assert.True(space.Map(map).IsSuccess);
        Assert.True(space.TryAcquire(0x10000, 4096, DmaAccess.Read, out var held));
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var go = new ManualResetEventSlim();
        using var following = space.Observe(new Noting
        {
            OnUnmap = () =>
            {
                Assert.Null(space.Find(0x10000));
                Assert.True(map.HasEndedTransfers);
                told.SetResult();
                go.Wait(Cancellation);
            },
        });

        var unmap = Task.Run(() => space.Unmap(0, ulong.MaxValue), Cancellation);
        await told.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        held.Dispose();
        Assert.False(map.IsUnmapped);
        Assert.False(unmap.IsCompleted);
        go.Set();
        Assert.Equal(4096ul, (await unmap.WaitAsync(TimeSpan.FromSeconds(30), Cancellation)).Value);
        Assert.True(map.IsUnmapped);
    }

    [Fact]
    public async Task An_observer_that_blocks_keeps_neither_lookups_nor_other_spaces_waiting()
    {
        var space = new DmaSpace();
        Map(space, 0x10000);
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var go = new ManualResetEventSlim();
        var blocking = false;
        using var following = space.Observe(new Noting
        {
            OnMap = () =>
            {
                if (!Volatile.Read(ref blocking))
                    return;
                told.SetResult();
                go.Wait(Cancellation);
            },
        });
        Volatile.Write(ref blocking, true);

        var mapping = Task.Run(() => Map(space, 0x20000), Cancellation);
        await told.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        // Found before the observer has answered: whoever is behind it may use the range at once.
        Assert.True(space.Write(0x20000, [1, 2]).IsSuccess);
        Assert.True(space.TryAcquire(0x10000, 1, DmaAccess.Read, out var held));
        held.Dispose();
        var other = new DmaSpace();
        Map(other, 0x10000);
        other.UnmapAll();
        Assert.False(mapping.IsCompleted);
        go.Set();
        await mapping.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        space.UnmapAll();
    }

    [Fact]
    public unsafe void Local_memory_can_be_mapped_by_another_through_its_file()
    {
        var space = new DmaSpace();
        var memory = LocalMemory.Allocate(0x10000, 5000);
        Assert.True(space.Map(memory).IsSuccess);
        memory.Span[4999] = 42;

        var (file, offset) = memory.Backing!.Value;
        var elsewhere = (byte*)Libc.mmap(null, 8192, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, file, (long)offset);
        Assert.Equal(42, elsewhere[4999]);
        elsewhere[0] = 43;
        Assert.Equal(43, memory.Span[0]);
        Assert.NotEqual(0, Libc.fcntl(file, Libc.F_GET_SEALS, 0) & Libc.F_SEAL_SHRINK);
        _ = Libc.munmap(elsewhere, 8192);
        space.UnmapAll();
        Assert.True(file.IsClosed);
    }

    [Fact]
    public void An_observer_that_throws_leaves_nothing_mapped_and_keeps_nothing_from_others()
    {
        var space = new DmaSpace();
        var (first, last) = (new Noting(), new Noting());
        var throws = true;
        using var one = space.Observe(first);
        using var two = space.Observe(new Noting { OnMap = Throw, OnUnmap = Throw });
        using var three = space.Observe(last);
        var map = new Watched(0x10000);
        Assert.Throws<NotSupportedException>(() => space.Map(map));
        Assert.Equal(0, space.Count);
        Assert.Equal(["map 10000", "unmap 10000"], first.Calls);
        Assert.False(map.IsUnmapped);
        map.Discard();

        throws = false;
        var maps = new[] { new Watched(0x20000), new Watched(0x30000) };
        Assert.All(maps, m => Assert.True(space.Map(m).IsSuccess));
        throws = true;
        Assert.Throws<NotSupportedException>(() => space.Unmap(0, ulong.MaxValue));
        Assert.All(maps, m => Assert.True(m.IsUnmapped));
        Assert.Equal(["map 20000", "map 30000", "unmap 20000", "unmap 30000"], last.Calls);

        void Throw()
        {
            if (throws)
                throw new NotSupportedException();
        }
    }

    [Fact]
    public void An_observer_ends_its_following_inside_a_call_and_changes_nothing_else()
    {
        var space = new DmaSpace();
        IDisposable? following = null;
        var other = new Noting();
        var leaving = new Noting
        {
            OnMap = () =>
            {
                following?.Dispose();
                Assert.Throws<InvalidOperationException>(() => space.Map(new DmaMapOfNothing()));
                Assert.Throws<InvalidOperationException>(space.UnmapAll);
            },
        };
        following = space.Observe(leaving);
        using var two = space.Observe(other);
        Map(space, 0x10000);
        Map(space, 0x20000);
        Assert.Equal(["map 10000"], leaving.Calls);
        Assert.Equal(["map 10000", "map 20000"], other.Calls);
        space.UnmapAll();
    }

    private sealed unsafe class DmaMapOfNothing() : DmaMap(0x50000, 4096, DmaAccess.Read, null);

    private static void Map(DmaSpace space, ulong iova) => Assert.True(space.Map(LocalMemory.Allocate(iova, 4096)).IsSuccess);

    private sealed class Noting : IDmaObserver
    {
        public List<string> Calls { get; } = [];

        public Errno Answer { get; init; }

        public Action? OnMap { get; init; }

        public Action? OnUnmap { get; init; }

        public VfioResult OnMapped(DmaMap map)
        {
            Calls.Add($"map {map.Iova:x}");
            OnMap?.Invoke();
            return Answer;
        }

        public void OnUnmapping(DmaMap map)
        {
            Calls.Add($"unmap {map.Iova:x}");
            OnUnmap?.Invoke();
        }
    }

    private sealed unsafe class Watched : DmaMap
    {
        private readonly void* _memory;

        public Watched(ulong iova)
            : this(iova, System.Runtime.InteropServices.NativeMemory.AllocZeroed(4096))
        {
        }

        private Watched(ulong iova, void* memory)
            : base(iova, 4096, DmaAccess.Read | DmaAccess.Write, memory) => _memory = memory;

        public bool HasEndedTransfers { get; private set; }

        public bool IsUnmapped { get; private set; }

        public void Discard() => OnUnmapped();

        protected override void OnUnmapping() => HasEndedTransfers = true;

        protected override void OnUnmapped()
        {
            IsUnmapped = true;
            System.Runtime.InteropServices.NativeMemory.Free(_memory);
        }
    }
}
