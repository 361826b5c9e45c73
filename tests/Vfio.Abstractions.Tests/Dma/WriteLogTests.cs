using System.Runtime.InteropServices;

namespace Vfio.Tests.Dma;

// What the process has mapped is counted: nobody else may map meanwhile.
[CollectionDefinition(nameof(WriteLogTests), DisableParallelization = true)]
[Collection(nameof(WriteLogTests))]
public sealed partial class WriteLogTests
{
    private const ulong Page = 4096;
    private readonly DmaSpace _space = new();

    [Fact]
    public void Writes_and_released_segments_are_logged_and_reads_are_not()
    {
        Map(0x10000, 16);
        Start(new IovaRange(0, 0x100000));
        Assert.True(_space.Write(0x10FFF, [1, 2]).IsSuccess);
        Assert.True(_space.Read(0x13000, new byte[8]).IsSuccess);
        Assert.True(_space.TryAcquire(0x14000, 8, DmaAccess.Read, out var read));
        read.Dispose();
        Assert.True(_space.TryAcquire(0x15FF8, 16, DmaAccess.Read | DmaAccess.Write, out var written));
        written.Dispose();
        _space.MarkWritten(0x18000, 1);
        Assert.Equal([0x10, 0x11, 0x15, 0x16, 0x18], Dirty());
        Assert.Empty(Dirty());
    }

    [Fact]
    public void A_segment_that_is_held_across_a_report_is_in_the_one_after_its_release()
    {
        Map(0x10000, 1);
        Start(new IovaRange(0, 0x100000));
        Assert.True(_space.TryAcquire(0x10000, 8, DmaAccess.Write, out var segment));
        segment.Span[0] = 1;
        Assert.Empty(Dirty());
        segment.Span[0] = 2;
        segment.Dispose();
        Assert.Equal([0x10], Dirty());
    }

    [Fact]
    public void A_segment_that_was_acquired_before_the_log_was_started_is_logged()
    {
        Map(0x10000, 1);
        Assert.True(_space.TryAcquire(0x10000, 8, DmaAccess.Write, out var segment));
        Start(new IovaRange(0, 0x100000));
        segment.Dispose();
        Assert.Equal([0x10], Dirty());
    }

    [Fact]
    public void What_was_written_before_it_was_unmapped_is_reported_after()
    {
        Map(0x10000, 1);
        Start(new IovaRange(0, 0x100000));
        _space.Write(0x10000, [1]);
        Assert.Equal(Page, _space.Unmap(0x10000, 0x10FFF).Value);
        Assert.Equal([0x10], Dirty());
        Assert.Equal(Errno.EFAULT, _space.Write(0x10000, [1]).Error);
        Assert.Empty(Dirty());
    }

    [Fact]
    public void A_write_that_fails_half_way_is_logged()
    {
        Assert.True(_space.Map(new FailingMap(0x10000, Page)).IsSuccess);
        Start(new IovaRange(0, 0x100000));
        Assert.Equal(Errno.EIO, _space.Write(0x10000, [1]).Error);
        Assert.Equal([0x10], Dirty());
    }

    [Fact]
    public void What_is_asked_for_in_part_stays_for_who_asks_for_the_rest()
    {
        var pageSize = 0x10000ul;
        Assert.True(_space.WriteLog.Start([new(0, 0x100000)], ref pageSize).IsSuccess);
        _space.MarkWritten(0x20000, 1);
        Assert.Equal([0x24], Dirty(0x24000, Page));
        Assert.Equal(Enumerable.Range(0x20, 16), Dirty());
        Assert.Empty(Dirty());
    }

    [Fact]
    public void Windows_together_report_what_one_report_would()
    {
        Start(new IovaRange(0, 1ul << 30));
        _space.MarkWritten(0, 1ul << 30);
        var all = new List<int>();
        for (var window = 0ul; window < 1ul << 30; window += 96 << 20)
            all.AddRange(Dirty(window, Math.Min(96 << 20, (1ul << 30) - window)));
        Assert.Equal(Enumerable.Range(0, 1 << 18), all);
        Assert.Empty(Dirty(0, 1ul << 30));
    }

    [Fact]
    public void Two_devices_that_share_a_space_log_apart()
    {
        Map(0x10000, 1);
        var (one, other) = (_space.CreateWriteLog(), _space.CreateWriteLog());
        var pageSize = Page;
        Assert.True(one.Start([new(0x10000, Page)], ref pageSize).IsSuccess);
        Assert.True(other.Start([new(0x10000, Page)], ref pageSize).IsSuccess);
        _space.Write(0x10000, [1]);
        var bits = new ulong[1];
        Assert.True(one.Report(0x10000, Page, Page, bits).IsSuccess);
        Assert.Equal(1ul, bits[0]);
        Assert.True(one.Stop().IsSuccess);
        _space.Write(0x10000, [1]);
        bits[0] = 0;
        Assert.True(other.Report(0x10000, Page, Page, bits).IsSuccess);
        Assert.Equal(1ul, bits[0]);
    }

    [Fact]
    public void A_log_that_is_started_again_begins_empty()
    {
        for (var i = 0; i < 3; i++)
        {
            Start(new IovaRange(0, 0x100000));
            Assert.Empty(Dirty());
            _space.MarkWritten(0, 0x100000);
            Assert.True(_space.WriteLog.Stop().IsSuccess);
            Assert.Equal(Errno.EINVAL, _space.WriteLog.Report(0, Page, Page, new ulong[1]).Error);
        }
    }

    [Fact]
    public void A_log_is_started_once()
    {
        Start(new IovaRange(0, Page));
        var pageSize = Page;
        Assert.Equal(Errno.EINVAL, _space.WriteLog.Start([new(0, Page)], ref pageSize).Error);
        Assert.True(_space.WriteLog.Stop().IsSuccess);
        Assert.True(_space.WriteLog.Stop().IsSuccess);
    }

    [Theory]
    [InlineData(1ul << 42, 4096)]
    [InlineData(1ul << 48, 1 << 18)]
    [InlineData(1ul << 51, 1 << 21)]
    public void A_log_of_more_than_it_may_have_bits_takes_coarser_pages(ulong length, ulong expected)
    {
        var pageSize = Page;
        Assert.True(_space.WriteLog.Start([new(0, length)], ref pageSize).IsSuccess);
        Assert.Equal(expected, pageSize);
        _space.MarkWritten(length - 1, 1);
        Assert.Equal(Enumerable.Range(0, (int)(expected / Page)), Dirty(length - expected, expected).Select(p => p - (int)((length - expected) / Page)));
    }

    [Fact]
    public void More_than_that_is_refused_for_want_of_memory()
    {
        var pageSize = Page;
        Assert.Equal(Errno.ENOMEM, _space.WriteLog.Start([new(0, 1ul << 52)], ref pageSize).Error);
        Assert.Equal(Page, pageSize);
    }

    [Fact]
    public void A_log_of_a_tebibyte_costs_memory_for_what_was_written_alone()
    {
        var before = Resident();
        Start(new IovaRange(0, 1ul << 40));
        for (var i = 0ul; i < 100; i++)
            _space.MarkWritten(i << 33, 1);
        Assert.Equal(100, DirtyCount(0, 1ul << 40));
        Assert.InRange(Resident() - before, long.MinValue, 16 << 20);
    }

    [Fact]
    public void Logs_that_come_and_go_leave_nothing_behind()
    {
        var (before, maps) = (Resident(), Maps());
        for (var i = 0; i < 300; i++)
        {
            var log = new DmaSpace();
            var pageSize = Page;
            Assert.True(log.WriteLog.Start([new(0, 1ul << 40)], ref pageSize).IsSuccess);
            log.MarkWritten(0, 1ul << 36);
            Assert.True(log.WriteLog.Stop().IsSuccess);
        }

        // 2 MiB were written in each.
        Assert.InRange(Resident() - before, long.MinValue, 64 << 20);
        Assert.InRange(Maps() - maps, int.MinValue, 100);
    }

    [Fact]
    public void A_map_that_is_mapped_twice_is_refused_and_stays_logged()
    {
        var map = LocalMemory.Allocate(0x10000, (int)Page);
        Assert.True(_space.Map(map).IsSuccess);
        Start(new IovaRange(0, 0x100000));
        Assert.Equal(Errno.EEXIST, _space.Map(map).Error);
        Assert.Equal(Errno.EEXIST, new DmaSpace().Map(map).Error);
        Assert.True(_space.TryAcquire(0x10000, 8, DmaAccess.Write, out var segment));
        segment.Dispose();
        Assert.Equal([0x10], Dirty());
        _space.UnmapAll();
    }

    [Fact]
    public unsafe void Memory_that_is_locked_cannot_be_given_back_and_says_so()
    {
        // As in a process that has called mlockall.
        const int Bytes = 3 << 20;
        var memory = LogMemory.TryReserve(Bytes / 8)!;
        memory.Address[0] = 1;
        Assert.Equal(0, MemoryLock(memory.Address, 4096));
        Assert.False(memory.TryClear());
        Assert.Equal(0, MemoryUnlock(memory.Address, 4096));
        Assert.True(memory.TryClear());
        Assert.Equal(0ul, memory.Address[0]);
    }

    [Fact]
    public void Marking_allocates_nothing()
    {
        Map(0x10000, 16);
        Start(new IovaRange(0, 0x100000));
        var data = new byte[16];
        for (var i = 0; i < 2; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            _space.Write(0x10FF8, data);
            _space.TryAcquire(0x14000, 8, DmaAccess.Write, out var segment);
            segment.Dispose();
            _space.MarkWritten(0, ulong.MaxValue);
            Assert.True(i == 0 || GC.GetAllocatedBytesForCurrentThread() == before);
        }
    }

    [LibraryImport("libc", EntryPoint = "mlock")]
    private static unsafe partial int MemoryLock(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "munlock")]
    private static unsafe partial int MemoryUnlock(void* address, nuint length);

    private static int Maps() => File.ReadLines("/proc/self/maps").Count();

    private static long Resident()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture) * 4096;
    }

    private void Map(ulong iova, int pages)
        => Assert.True(_space.Map(LocalMemory.Allocate(iova, pages * (int)Page)).IsSuccess);

    private void Start(IovaRange range)
    {
        var pageSize = Page;
        Assert.True(_space.WriteLog.Start([range], ref pageSize).IsSuccess);
    }

    private int DirtyCount(ulong iova, ulong length)
    {
        var bitmap = new ulong[length / Page / 64];
        Assert.True(_space.WriteLog.Report(iova, length, Page, bitmap).IsSuccess);
        return bitmap.Sum(System.Numerics.BitOperations.PopCount);
    }

    private List<int> Dirty(ulong iova = 0, ulong length = 0x100000)
    {
        var bitmap = new ulong[(length / Page / 64) + 1];
        Assert.True(_space.WriteLog.Report(iova, length, Page, bitmap).IsSuccess);
        return [.. Enumerable.Range(0, (int)(length / Page)).Where(i => (bitmap[i >> 6] >> i & 1) != 0).Select(i => i + (int)(iova / Page))];
    }

    private sealed unsafe class FailingMap(ulong iova, ulong size) : DmaMap(iova, size, DmaAccess.Write, null)
    {
        protected internal override VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => Errno.EIO;
    }
}
