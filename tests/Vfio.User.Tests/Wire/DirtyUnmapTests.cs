using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class DirtyUnmapTests
{
    private const ulong Base = 0x10000, Page = 4096;

    [Fact]
    public async Task The_reply_carries_the_structures_and_the_bitmap_of_the_range()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = LoggingClient(server);
        server.Log.Write(Base);
        server.Log.Write(Base + (65 * Page));
        server.Log.Write(Base + (70 * Page));
        client.Succeed(2, TestClient.Map(Base, 70 * Page));
        Assert.Equal(
            Fields.Of(64u, 1u, Base, 70 * Page, Page, 24ul, 1ul, 2ul, 0ul),
            client.Succeed(3, Fields.Of(64u, 1u, Base, 70 * Page, Page, 24ul)));
        Assert.Equal([(Base, 70 * Page, Page)], server.Log.Reports);

        // It is unmapped, and what lay in the reply's buffer does not come again.
        client.Succeed(2, TestClient.Map(Base, 70 * Page));
        Assert.Equal(
            Fields.Of(56u, 1u, Base, 70 * Page, Page, 16ul, 0ul, 0ul), client.Succeed(3, Fields.Of(56u, 1u, Base, 70 * Page, Page, 16ul)));
    }

    [Fact]
    public async Task A_bitmap_that_cannot_be_is_EINVAL_and_leaves_the_map()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(Base, 65 * Page));
        var good = Fields.Of(56u, 1u, Base, 65 * Page, Page, 16ul);
        client.Refuse(Errno.EINVAL, 3, good);
        Start(client);
        client.Refuse(Errno.EINVAL, 3, good.AsSpan(0, 39));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(55u, 1u, Base, 65 * Page, Page, 16ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(24u, 1u, Base, 65 * Page, Page, 0ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(48u, 1u, Base, 65 * Page, Page, 8ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(48u, 1u, Base, 65 * Page, Page, ulong.MaxValue - 40));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(56u, 1u, Base, 65 * Page, 0ul, 16ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(56u, 1u, Base, 65 * Page, 4097ul, 16ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(56u, 1u, Base, 65 * Page, 2048ul, 16ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of((1u << 20) + 1, 1u, Base, 65 * Page, Page, 16ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(56u, 3u, 0ul, 0ul, Page, 16ul));
        client.Refuse(Errno.EINVAL, 3, Fields.Of(56u, 5u, Base, 65 * Page, Page, 16ul));

        // Half of a map.
        client.Refuse(Errno.EINVAL, 3, Fields.Of(48u, 1u, Base, 64 * Page, Page, 8ul));
        Assert.Empty(server.Log.Reports);
        client.Refuse(Errno.EEXIST, 2, TestClient.Map(Base, Page));
        client.Succeed(3, good);
    }

    [Theory]
    [InlineData(64, 1, ulong.MaxValue, 0)]
    [InlineData(65, 2, ulong.MaxValue, 1)]
    [InlineData(71, 2, ulong.MaxValue, 0x7f)]
    [InlineData(72, 2, ulong.MaxValue, 0xff)]
    public async Task Where_the_report_fails_all_of_the_range_counts_as_written(int pages, int words, ulong first, ulong second)
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = LoggingClient(server);
        server.Log.OnReport = () => Errno.EIO;
        client.Succeed(2, TestClient.Map(Base, (ulong)pages * Page));
        var bytes = (uint)(8 * words);
        ulong[] expected = [first, second];
        Assert.Equal(
            Fields.Of(40 + bytes, 1u, Base, (ulong)pages * Page, Page, (ulong)bytes, Fields.Of([.. expected[..words].Cast<object>()])),
            client.Succeed(3, Fields.Of(40 + bytes, 1u, Base, (ulong)pages * Page, Page, (ulong)bytes)));
        server.Log.OnReport = () => throw new InvalidOperationException("a test's");
        Assert.Equal(0xff, client.Succeed(3, Fields.Of(48u, 1u, Base, 8 * Page, Page, 8ul))[40]);
    }

    [Fact]
    public async Task What_is_written_while_the_unmap_waits_is_in_the_bitmap()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = LoggingClient(server);
        using var memory = TestFiles.SealedMemory(0x1000);
        client.Succeed(2, TestClient.Map(Base, Page), memory);
        Assert.True(server.Inner.Device.Dma.TryAcquire(Base, Page, DmaAccess.Write, out var segment));
        client.Send(3, Fields.Of(48u, 1u, Base, Page, Page, 8ul));
        Assert.False(client.Socket.WaitReadable(100));
        Assert.Empty(server.Log.Reports);
        server.Log.Write(Base);
        segment.Dispose();
        Assert.Equal(Fields.Of(48u, 1u, Base, Page, Page, 8ul, 1ul), client.Receive().Payload);
    }

    [Fact]
    public async Task An_answer_that_is_too_late_for_its_client_is_made_good_when_it_asks_again()
    {
        var time = new SteppedTime();
        await using var server = await MigratingServer.StartAsync(new() { TimeProvider = time });
        using var client = LoggingClient(server);
        client.Succeed(2, TestClient.Map(Base, 2 * Page));
        server.Log.Write(Base + Page);
        server.Log.OnReport = () =>
        {
            time.Advance(TimeSpan.FromSeconds(5));
            return Errno.None;
        };
        var unmap = Fields.Of(48u, 1u, Base, 2 * Page, Page, 8ul);
        client.Refuse(Errno.ETIMEDOUT, 3, unmap);
        server.Log.OnReport = null;
        Assert.Equal(Fields.Of(48u, 1u, Base, 2 * Page, Page, 8ul, 3ul), client.Succeed(3, unmap));
    }

    private static TestClient LoggingClient(MigratingServer server)
    {
        var client = server.Connect();
        Start(client);
        return client;
    }

    private static void Start(TestClient client) => client.Succeed(16, Fields.Of(24u, 6u | (1u << 17), Page, 0u, 0u));
}
