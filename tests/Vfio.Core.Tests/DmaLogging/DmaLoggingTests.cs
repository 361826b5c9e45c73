namespace Vfio.Core.Tests.DmaLogging;

public sealed class DmaLoggingTests
{
    private const ulong Page = 4096;
    private readonly ScriptedLog _log = new();
    private readonly DmaLoggingService _service;

    public DmaLoggingTests()
    {
        _service = new(_log, isDmaMediated: false);
        _service.Open(new DmaSpace());
    }

    [Theory]
    [Trait("Trap", "45")]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4097)]
    [InlineData(ulong.MaxValue)]
    public void A_page_size_that_is_no_power_of_two_is_EINVAL(ulong pageSize)
    {
        Assert.Equal(Errno.EINVAL, Start(pageSize, new IovaRange(0, 0)));
        Assert.Equal(Errno.EINVAL, Start(pageSize, new IovaRange(pageSize, pageSize / 2)));
        Assert.Equal(0, _log.Starts);
    }

    [Fact]
    [Trait("Trap", "45")]
    public void The_number_of_ranges_is_checked_before_anything_else()
    {
        Assert.Equal(Errno.EINVAL, Start(0));
        Assert.Equal(Errno.E2BIG, Start(0, [.. Enumerable.Repeat(new IovaRange(1, 1), 257)]));
        Assert.Equal(Errno.None, Start(Page, [.. Enumerable.Range(0, 256).Select(i => new IovaRange((ulong)i * 2 * Page, Page))]));
    }

    [Theory]
    [Trait("Trap", "45")]
    [InlineData(Page, 0ul, Errno.EINVAL)]
    [InlineData(Page + 1, Page, Errno.EINVAL)]
    [InlineData(Page, Page - 1, Errno.EINVAL)]
    [InlineData(ulong.MaxValue - (Page - 1), Page, Errno.EOVERFLOW)]
    [InlineData(Page, ulong.MaxValue - (Page - 1), Errno.EOVERFLOW)]
    [InlineData(2 * Page, ulong.MaxValue - (Page - 1), Errno.EOVERFLOW)]
    [InlineData(0, ulong.MaxValue - (Page - 1), Errno.None)]
    [InlineData(ulong.MaxValue - (2 * Page) + 1, Page, Errno.None)]
    public void A_range_is_of_whole_pages_and_ends_before_2_64(ulong iova, ulong length, Errno expected)
        => Assert.Equal(expected, Start(Page, new IovaRange(iova, length)));

    [Fact]
    public void Ranges_do_not_overlap_and_may_touch_in_any_order()
    {
        Assert.Equal(Errno.EINVAL, Start(Page, new(4 * Page, 4 * Page), new(0, Page), new(7 * Page, 2 * Page)));
        Assert.Equal(Errno.EINVAL, Start(Page, new(4 * Page, Page), new(0, 16 * Page)));
        Assert.Equal(Errno.EINVAL, Start(Page, new(4 * Page, Page), new(4 * Page, Page)));
        // The errno of the first range that is at fault, in the client's order.
        Assert.Equal(Errno.EINVAL, Start(Page, new(0, Page), new(0, Page), new(Page, ulong.MaxValue - (Page - 1))));
        Assert.Equal(Errno.EOVERFLOW, Start(Page, new(0, Page), new(Page, ulong.MaxValue - (Page - 1)), new(0, Page)));
        Assert.Equal(0, _log.Starts);
        Assert.Equal(Errno.None, Start(Page, new(4 * Page, 4 * Page), new(0, 4 * Page)));
        Assert.Equal([new(0, 4 * Page), new(4 * Page, 4 * Page)], _log.Ranges);
    }

    [Fact]
    [Trait("Trap", "46")]
    public void A_second_start_is_EINVAL_whatever_the_device_thinks_of_it()
    {
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, Page)));
        Assert.Equal(Errno.EINVAL, Start(Page, new IovaRange(0, Page)));
        Assert.Equal(1, _log.Starts);
        Assert.True(_service.Stop().IsSuccess);
        Assert.True(_service.Stop().IsSuccess);
        Assert.Equal(1, _log.Stops);
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, Page)));
    }

    [Fact]
    public void The_device_chooses_the_page_size()
    {
        _log.Chooses = 0x10000;
        var pageSize = Page;
        Assert.True(_service.Start([new(0, Page)], ref pageSize).IsSuccess);
        Assert.Equal(0x10000ul, pageSize);
    }

    [Fact]
    public void A_device_that_answers_no_page_size_is_stopped_and_EIO()
    {
        _log.Chooses = 0;
        var pageSize = Page;
        Assert.Equal(Errno.EIO, _service.Start([new(0, Page)], ref pageSize).Error);
        Assert.Equal((Page, 1), (pageSize, _log.Stops));
        Assert.Equal(Errno.EINVAL, _service.Report(0, Page, Page, new ulong[1]).Error);
    }

    [Fact]
    public void A_start_that_the_device_refuses_is_none()
    {
        _log.Answer = Errno.EOPNOTSUPP;
        Assert.Equal(Errno.EOPNOTSUPP, Start(Page, new IovaRange(0, Page)));
        _log.Answer = Errno.None;
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, Page)));
    }

    [Theory]
    [Trait("Trap", "45")]
    [InlineData(0, Page, 2048, 1, Errno.EINVAL)]
    [InlineData(0, Page, 0, 1, Errno.EINVAL)]
    [InlineData(0, Page, 12288, 1, Errno.EINVAL)]
    [InlineData(0, 0, Page, 1, Errno.EINVAL)]
    [InlineData(1, ulong.MaxValue, Page, 1, Errno.EOVERFLOW)]
    [InlineData(ulong.MaxValue - (Page - 1), Page, Page, 1, Errno.EOVERFLOW)]
    [InlineData(0, 64 * Page, Page, 1, Errno.None)]
    [InlineData(0, (64 * Page) + 1, Page, 1, Errno.EINVAL)]
    [InlineData(0, ulong.MaxValue, Page, 1, Errno.EINVAL)]
    [InlineData(0, ulong.MaxValue, 1ul << 63, 1, Errno.None)]
    [InlineData(5, 10, Page, 1, Errno.None)]
    [InlineData(0, Page, Page, 0, Errno.EINVAL)]
    public void A_report_is_checked_before_the_device_is_asked(ulong iova, ulong length, ulong pageSize, int words, Errno expected)
    {
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, Page)));
        Assert.Equal(expected, _service.Report(iova, length, pageSize, new ulong[words]).Error);
        Assert.Equal(expected == Errno.None ? 1 : 0, _log.Reports);
    }

    [Fact]
    public void A_report_without_a_log_is_EINVAL()
    {
        Assert.Equal(Errno.EINVAL, _service.Report(0, Page, Page, new ulong[1]).Error);
        Assert.Equal(0, _log.Reports);
    }

    [Fact]
    [Trait("Trap", "45")]
    public void After_a_report_that_failed_everything_is_dirty_until_the_log_is_stopped()
    {
        var bits = new ulong[2];
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, 128 * Page)));
        _log.Answer = Errno.EIO;
        Assert.Equal(Errno.EIO, _service.Report(0, 128 * Page, Page, bits).Error);
        _log.Answer = Errno.None;
        bits[1] = 1ul << 60;
        Assert.True(_service.Report(0, 70 * Page, Page, bits).IsSuccess);
        Assert.Equal([ulong.MaxValue, 0x3F | (1ul << 60)], bits);

        Assert.True(_service.Stop().IsSuccess);
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, 128 * Page)));
        bits.AsSpan().Clear();
        Assert.True(_service.Report(0, 128 * Page, Page, bits).IsSuccess);
        Assert.Equal([0, 0], bits);
    }

    [Fact]
    [Trait("Trap", "45")]
    public void A_log_that_throws_is_poisoned_too()
    {
        var bits = new ulong[1];
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, Page)));
        _log.Throws = true;
        Assert.Throws<InvalidOperationException>(() => _service.Report(0, Page, Page, bits));
        _log.Throws = false;
        Assert.True(_service.Report(0, Page, Page, bits).IsSuccess);
        Assert.Equal(1ul, bits[0]);
    }

    [Fact]
    [Trait("Trap", "46")]
    public void Close_stops_the_log_and_a_closed_device_starts_none()
    {
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, Page)));
        _service.Close();
        Assert.Equal(1, _log.Stops);
        Assert.Equal(Errno.ENODEV, Start(Page, new IovaRange(0, Page)));
        Assert.Equal(Errno.EINVAL, _service.Report(0, Page, Page, new ulong[1]).Error);
        _service.Open(new DmaSpace());
        Assert.Equal(Errno.None, Start(Page, new IovaRange(0, Page)));
        Assert.Equal(2, _log.Starts);
    }

    [Fact]
    public void The_log_of_the_space_is_used_where_the_device_has_none_and_its_DMA_goes_through_it()
    {
        var space = new DmaSpace();
        Assert.True(space.Map(LocalMemory.Allocate(0, 65536)).IsSuccess);
        var service = new DmaLoggingService(null, isDmaMediated: true);
        Assert.True(service.IsPresent);
        service.Open(space);
        var pageSize = Page;
        Assert.True(service.Start([new(0, 65536)], ref pageSize).IsSuccess);
        Assert.True(space.Write(0x5000, [1]).IsSuccess);
        var bits = new ulong[1];
        Assert.True(service.Report(0, 65536, Page, bits).IsSuccess);
        Assert.Equal(1ul << 5, bits[0]);

        // The next who opens it brings a space of its own; the former one is logged no more.
        service.Close();
        service.Open(new DmaSpace());
        Assert.True(service.Start([new(0, 65536)], ref pageSize).IsSuccess);
        Assert.True(space.Write(0x5000, [1]).IsSuccess);
        bits[0] = 0;
        Assert.True(service.Report(0, 65536, Page, bits).IsSuccess);
        Assert.Equal(0ul, bits[0]);
    }

    [Fact]
    public void A_device_without_either_has_no_log()
    {
        Assert.False(new DmaLoggingService(null, isDmaMediated: false).IsPresent);
        var service = new DmaLoggingService(null, isDmaMediated: true);
        service.Open(new SpaceWithoutLog());
        Assert.False(service.IsPresent);
        Assert.True(_service.IsPresent);
    }

    private Errno Start(ulong pageSize, params IovaRange[] ranges) => _service.Start(ranges, ref pageSize).Error;

    private sealed class ScriptedLog : IDmaLogging
    {
        public int Starts { get; private set; }

        public int Stops { get; private set; }

        public int Reports { get; private set; }

        public IovaRange[] Ranges { get; private set; } = [];

        public ulong? Chooses { get; set; }

        public Errno Answer { get; set; }

        public bool Throws { get; set; }

        public VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize)
        {
            Starts++;
            Ranges = ranges.ToArray();
            pageSize = Chooses ?? pageSize;
            return Answer;
        }

        public VfioResult Stop()
        {
            Stops++;
            return VfioResult.Success;
        }

        public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
        {
            Reports++;
            return Throws ? throw new InvalidOperationException("lost") : Answer;
        }
    }

    private sealed class SpaceWithoutLog : IDmaSpace
    {
        public bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
        {
            segment = default;
            return false;
        }

        public VfioResult Read(ulong iova, Span<byte> destination) => Errno.EFAULT;

        public VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => Errno.EFAULT;

        public void CancelTransfers()
        {
        }
    }
}
