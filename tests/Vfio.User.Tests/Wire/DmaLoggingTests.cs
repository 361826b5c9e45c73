using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class DmaLoggingTests
{
    private const uint Start = 6 | (1 << 17), Stop = 7 | (1 << 17), Report = 8 | (1 << 16);
    private const ulong Page = 4096;

    [Fact]
    public async Task Start_gives_the_page_size_that_is_used_and_the_rest_as_it_came()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        var start = Fields.Of(56u, Start, 8192ul, 2u, 7u, 0x10000ul, 0x10000ul, 0x40000ul, 0x2000ul);
        var answer = Fields.Of(56u, Start, 4096ul, 2u, 7u, 0x10000ul, 0x10000ul, 0x40000ul, 0x2000ul);
        Assert.Equal(answer, client.Succeed(16, start));
        Assert.Equal([new IovaRange(0x10000, 0x10000), new IovaRange(0x40000, 0x2000)], server.Log.Ranges!);
    }

    [Fact]
    public async Task Start_again_is_success_for_the_same_and_EINVAL_for_another()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        var start = Fields.Of(24u, Start, 4096ul, 0u, 0u);
        Assert.Equal(start, client.Succeed(16, start));
        Assert.Equal(start, client.Succeed(16, start));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(24u, Start, 2048ul, 0u, 0u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(24u, Start, 8192ul, 0u, 0u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(40u, Start, 4096ul, 1u, 0u, 0ul, 4096ul));

        // Nothing is mapped, so nothing can be written.
        Assert.Null(server.Log.Ranges);
        Assert.Equal(Fields.Of(8u, Stop), client.Succeed(16, Fields.Of(8u, Stop)));
        Assert.Null(server.Log.Ranges);
        Assert.Equal(start.Length, client.Succeed(16, Fields.Of(24u, Start, 8192ul, 0u, 0u)).Length);
    }

    [Fact]
    public async Task Start_of_what_cannot_be_is_refused()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Refuse(Errno.EINVAL, 16, Fields.Of(24u, Start, 0ul, 0u, 0u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(24u, Start, 4097ul, 0u, 0u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(23u, Start, 4096ul, 0u, 0u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(24u, Start, 4096ul, 0u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(40u, Start, 4096ul, 2u, 0u, 0ul, 4096ul));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(39u, Start, 4096ul, 1u, 0u, 0ul, 4096ul));
        client.Refuse(Errno.E2BIG, 16, Fields.Of(40u, Start, 4096ul, 257u, 0u, 0ul, 4096ul));
        client.Refuse(Errno.E2BIG, 16, Fields.Of(40u, Start, 4096ul, 0xffffffffu, 0u, 0ul, 4096ul));
        Assert.Null(server.Log.Ranges);
    }

    [Fact]
    public async Task A_report_carries_the_bitmap_of_the_range_and_begins_anew()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(0x10000, 65 * Page));
        client.Succeed(16, Fields.Of(24u, Start, 4096ul, 0u, 0u));
        foreach (var page in new ulong[] { 0, 6, 7, 8, 9, 64 })
            server.Log.Write(0x10000 + (page * Page));
        Assert.Equal(
            Fields.Of(48u, Report, 0x10000ul, 65 * Page, Page, 0x3c1ul, 1ul),
            client.Succeed(16, Fields.Of(48u, Report, 0x10000ul, 65 * Page, Page)));

        // What lies in the reply's buffer from before is not in the bitmap.
        Assert.Equal(
            Fields.Of(48u, Report, 0x10000ul, 65 * Page, Page, 0ul, 0ul),
            client.Succeed(16, Fields.Of(512u, Report, 0x10000ul, 65 * Page, Page)));
    }

    [Fact]
    public async Task A_report_that_has_no_room_or_cannot_be_is_EINVAL_and_forgets_nothing()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(16, Fields.Of(24u, Start, 4096ul, 0u, 0u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(39u, Report, 0x10000ul, 64 * Page, Page));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(47u, Report, 0x10000ul, 65 * Page, Page));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(40u, Report, 0x10000ul, 64 * Page, 0ul));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(40u, Report, 0ul, ulong.MaxValue, 1ul));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(40u, Report, 0ul, ulong.MaxValue, 2ul));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(1u << 20, Report, 0ul, ulong.MaxValue, Page));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(40u, Report, 0x10000ul, 64 * Page));
        client.Refuse(Errno.EINVAL, 16, Fields.Of((1u << 20) + 1, Report, 0x10000ul, 64 * Page, Page));
        Assert.Empty(server.Log.Reports);
    }

    [Fact]
    public async Task The_longest_bitmap_of_one_message_is_that_of_a_MiB_with_its_structures()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(0, 1ul << 36));
        client.Succeed(16, Fields.Of(24u, Start, 4096ul, 0u, 0u));
        const ulong Words = ((1 << 20) - 32) / 8;
        server.Log.Write((Words * 64 * Page) - Page);
        var reply = client.Succeed(16, Fields.Of(1u << 20, Report, 0ul, Words * 64 * Page, Page));
        Assert.Equal((1 << 20, 0x80), (reply.Length, reply[^1]));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(1u << 20, Report, 0ul, ((Words * 64) + 1) * Page, Page));
    }

    [Fact]
    public async Task A_report_that_fails_answers_its_errno()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        var report = Fields.Of(40u, Report, 0x10000ul, 64 * Page, Page);
        client.Refuse(Errno.EINVAL, 16, report);
        client.Succeed(2, TestClient.Map(0x10000, 64 * Page));
        client.Succeed(16, Fields.Of(24u, Start, 4096ul, 0u, 0u));
        server.Log.OnReport = () => Errno.EIO;
        client.Refuse(Errno.EIO, 16, report);
    }

    [Fact]
    public async Task Start_without_ranges_logs_what_is_mapped()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(0x40000, Page));
        client.Succeed(2, TestClient.Map(0x10000, 2 * Page));
        client.Succeed(2, TestClient.Map(0x12000, Page));
        client.Succeed(2, TestClient.Map(ulong.MaxValue - (2 * Page) + 1, 2 * Page));
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        Assert.Equal([new(0x10000, 3 * Page), new(0x40000, Page), new(ulong.MaxValue - (2 * Page) + 1, Page)], server.Log.Ranges!);
    }

    [Fact]
    public async Task Start_without_ranges_and_maps_logs_the_first_map_that_comes()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        Assert.Equal(
            Fields.Of(40u, Report, 0x10000ul, 2 * Page, Page, 0ul), client.Succeed(16, Fields.Of(40u, Report, 0x10000ul, 2 * Page, Page)));
        client.Succeed(2, TestClient.Map(0x10000, 2 * Page));
        Assert.Equal([new IovaRange(0x10000, 2 * Page)], server.Log.Ranges!);
        server.Log.Write(0x11000);
        Assert.Equal(
            Fields.Of(40u, Report, 0x10000ul, 2 * Page, Page, 2ul), client.Succeed(16, Fields.Of(40u, Report, 0x10000ul, 2 * Page, Page)));
    }

    [Fact]
    public async Task Memory_that_is_mapped_while_all_is_logged_counts_as_written()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(0x10000, Page));
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        client.Succeed(2, TestClient.Map(0x12000, 2 * Page));
        var report = Fields.Of(40u, Report, 0x10000ul, 6 * Page, Page);
        Assert.Equal(Fields.Of(40u, Report, 0x10000ul, 6 * Page, Page, 0b1100ul), client.Succeed(16, report));
        Assert.Equal(Fields.Of(40u, Report, 0x10000ul, 6 * Page, Page, 0b1100ul), client.Succeed(16, report));

        // Until it is started anew, with all that is mapped.
        client.Succeed(16, Fields.Of(8u, Stop));
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        Assert.Equal(Fields.Of(40u, Report, 0x10000ul, 6 * Page, Page, 0ul), client.Succeed(16, report));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(5, 3)]
    [InlineData(63, 2)]
    [InlineData(64, 64)]
    [InlineData(70, 200)]
    [InlineData(1, 319)]
    public async Task Memory_that_is_mapped_later_has_just_its_own_bits(int first, int count)
    {
        const int Pages = 320;
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(0x10000000, Page));
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        for (var times = 0; times < 300; times++)
        {
            client.Succeed(2, TestClient.Map((ulong)first * Page, (ulong)count * Page));
            client.Succeed(3, TestClient.Unmap((ulong)first * Page, (ulong)count * Page));
        }

        var bitmap = client.Succeed(16, Fields.Of(32u + (Pages / 8), Report, 0ul, Pages * Page, Page)).AsSpan(32);
        for (var page = 0; page < Pages; page++)
            Assert.Equal(page >= first && page < first + count, (bitmap[page / 8] >> (page % 8) & 1) != 0);
    }

    [Fact]
    public async Task Memory_at_both_ends_of_the_addresses_counts_as_written_too()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        const ulong Top = ulong.MaxValue - Page + 1;
        client.Succeed(2, TestClient.Map(0x10000, Page));
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        client.Succeed(2, TestClient.Map(Top, Page));
        client.Succeed(2, TestClient.Map(0, Page));
        Assert.Equal(Fields.Of(40u, Report, Top, Page, Page, 1ul), client.Succeed(16, Fields.Of(40u, Report, Top, Page, Page)));
        Assert.Equal(Fields.Of(40u, Report, 0ul, Page, Page, 1ul), client.Succeed(16, Fields.Of(40u, Report, 0ul, Page, Page)));
    }

    [Fact]
    public async Task The_first_map_is_logged_before_the_device_can_write_there()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x1000);
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        var early = VfioResult.Success;
        server.Log.OnStart = () => early = server.Inner.Device.Dma.Write(0x10000, [1]);
        client.Succeed(2, TestClient.Map(0x10000, Page), memory);
        Assert.NotNull(server.Log.Ranges);
        Assert.Equal(Errno.EFAULT, early.Error);
    }

    [Fact]
    public async Task A_report_that_is_too_late_for_its_client_is_made_good_by_the_next()
    {
        var time = new SteppedTime();
        await using var server = await MigratingServer.StartAsync(new() { TimeProvider = time });
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(0x10000, 4 * Page));
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        server.Log.Write(0x11000);
        server.Log.OnReport = () =>
        {
            time.Advance(TimeSpan.FromSeconds(5));
            return Errno.None;
        };
        client.Refuse(Errno.ETIMEDOUT, 16, Fields.Of(40u, Report, 0x10000ul, 2 * Page, Page));
        server.Log.OnReport = null;
        Assert.Equal(
            Fields.Of(40u, Report, 0x10000ul, 4 * Page, Page, 3ul), client.Succeed(16, Fields.Of(40u, Report, 0x10000ul, 4 * Page, Page)));
    }

    [Fact]
    public async Task More_maps_than_a_log_has_ranges_are_covered_with_their_smallest_gaps()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        for (ulong i = 0; i < 300; i++)
            client.Succeed(2, TestClient.Map(i * 16 * Page, (i % 4 == 0 ? 15ul : 1ul) * Page));
        client.Succeed(16, Fields.Of(24u, Start, Page, 0u, 0u));
        var ranges = server.Log.Ranges!;
        Assert.Equal(IovaRanges.Limit, ranges.Length);
        for (ulong i = 0; i < 300; i++)
            Assert.Contains(ranges, range => range.Iova <= i * 16 * Page && i * 16 * Page < range.Iova + range.Length);

        // 44 gaps had to go: those of one page, and no other.
        Assert.Equal(44, ranges.Count(range => range.Length > 16 * Page));
    }
}
