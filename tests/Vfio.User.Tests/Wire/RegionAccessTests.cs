using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class RegionAccessTests
{
    [Fact]
    public async Task Reads_and_writes_carry_the_access_back_and_the_data_with_it()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        Assert.Equal(Fields.Of(0x10ul, 0u, 4u), client.Succeed(10, Fields.Of(0x10ul, 0u, 4u, 0x12345678u)));
        Assert.Equal(Fields.Of(0x10ul, 0u, 4u, 0x12345678u), client.Succeed(9, Fields.Of(0x10ul, 0u, 4u)));

        // A payload longer than the structure is some clients' habit.
        Assert.Equal(Fields.Of(0x10ul, 0u, 4u, 0x12345678u), client.Succeed(9, Fields.Of(0x10ul, 0u, 4u, 0xffffu)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(24)]
    [InlineData(25)]
    [InlineData(1000)]
    [InlineData(4096)]
    public async Task Any_width_arrives_whole(int width)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var data = Enumerable.Range(1, width).Select(i => (byte)i).ToArray();
        client.WriteRegion(0, 0, data);
        Assert.Equal(data, server.Device.Bar0[..width]);
        Assert.Equal(data, client.ReadRegion(0, 0, (uint)width));
    }

    [Fact]
    public async Task A_read_over_the_end_of_a_bar_is_short()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        Assert.Equal(Fields.Of(0xffcul, 0u, 4u, 0u), client.Succeed(9, Fields.Of(0xffcul, 0u, 16u)));
        client.Refuse(Errno.EINVAL, 9, Fields.Of(0x1000ul, 0u, 4u));
    }

    [Fact]
    public async Task A_mebibyte_moves_in_one_message_and_a_byte_more_does_not()
    {
        await using var server = await RunningServer.StartAsync();
        var written = 0;
        server.Device.OnRead = (_, _, count) => count;
        server.Device.OnWrite = (_, _, data) => written = data.Length;
        using var client = server.Connect();
        Assert.Equal(1 << 20, client.ReadRegion(0, 0, 1 << 20).Length);
        client.WriteRegion(0, 0, new byte[1 << 20]);
        Assert.Equal(1 << 20, written);
        client.Refuse(Errno.EINVAL, 9, Fields.Of(0ul, 0u, (1u << 20) + 1));
        client.Refuse(Errno.EINVAL, 9, Fields.Of(0ul, 0u, (1u << 20) + 8));
        client.Refuse(Errno.EINVAL, 9, Fields.Of(0ul, 0u, uint.MaxValue));
    }

    [Fact]
    public async Task No_bytes_are_no_error_and_do_not_reach_the_device()
    {
        await using var server = await RunningServer.StartAsync();
        server.Device.OnRead = (_, _, _) => Errno.EIO;
        server.Device.OnWrite = (_, _, _) => Errno.EIO;
        using var client = server.Connect();
        Assert.Equal(Fields.Of(0ul, 7u, 0u), client.Succeed(9, Fields.Of(0ul, 7u, 0u)));
        Assert.Equal(Fields.Of(0ul, 7u, 0u), client.Succeed(10, Fields.Of(0ul, 7u, 0u)));
    }

    public static TheoryData<ushort, byte[]> Refused => new()
    {
        { 9, Fields.Of(0ul, 0u) },
        { 9, Array.Empty<byte>() },
        { 9, Fields.Of(ulong.MaxValue, 7u, 256u) },
        { 9, Fields.Of(ulong.MaxValue - 2, 0u, 4u) },
        { 9, Fields.Of(0ul, 9u, 4u) },
        { 9, Fields.Of(0ul, 0xdeadbeefu, 4u) },
        { 9, Fields.Of(0ul, 3u, 4u) },
        { 10, Fields.Of(0ul) },
        { 10, Fields.Of(0ul, 0u, 4u) },
        { 10, Fields.Of(0ul, 0u, 4u, (ushort)1) },
        { 10, Fields.Of(0ul, 0u, 4u, 1ul) },
        { 10, Fields.Of(0ul, 0u, 0xffffffffu, 1ul) },
        { 10, Fields.Of(ulong.MaxValue, 0u, 4u, 1u) },
        { 10, Fields.Of(0ul, 9u, 4u, 1u) },
        { 10, Fields.Of(0ul, 4u, 4u, 1u) },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_bad_access_is_refused(ushort command, byte[] payload)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Refuse(Errno.EINVAL, command, payload);
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task Posted_writes_happen_in_order_and_are_never_answered_not_even_with_an_error()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        for (byte i = 1; i <= 100; i++)
            client.Send(10, Fields.Of(0ul, 0u, 1u, i), 0x10);
        client.Send(10, Fields.Of(0ul, 0u, 9u, (byte)7), 0x10);
        client.Send(10, Fields.Of(0ul, 99u, 1u, (byte)7), 0x10);
        Assert.Equal([100], client.ReadRegion(0, 0, 1));
    }

    [Fact]
    public async Task Multiple_writes_happen_in_order()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var writes = Enumerable.Range(0, 200)
            .SelectMany(i => Fields.Of((ulong)i, 0u, 2u, (ushort)(0x100 | (byte)i), new byte[6])).ToArray();
        client.Send(15, Fields.Of(200ul, writes), 0x10);
        var expected = Enumerable.Range(0, 200).Select(i => (byte)i).Append((byte)1).ToArray();
        Assert.Equal(expected, client.ReadRegion(0, 0, 201));
        Assert.Equal(Fields.Of(1ul), client.Succeed(15, Fields.Of(1ul, 0ul, 0u, 8u, 0x1122334455667788ul)));
        Assert.Equal(Fields.Of(0x1122334455667788ul), client.ReadRegion(0, 0, 8));
        Assert.Equal(Fields.Of(0ul), client.Succeed(15, Fields.Of(0ul)));
    }

    [Fact]
    public async Task Bad_multiple_writes_write_nothing()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var good = Fields.Of(0ul, 0u, 1u, 0xfful);
        client.Refuse(Errno.EINVAL, 15, Fields.Of(1u));
        client.Refuse(Errno.EINVAL, 15, Fields.Of(2ul, good));
        client.Refuse(Errno.EINVAL, 15, Fields.Of(0ul, good));
        client.Refuse(Errno.EINVAL, 15, Fields.Of(ulong.MaxValue, good));
        client.Refuse(Errno.EINVAL, 15, Fields.Of(0x0AAAAAAAAAAAAAABul, good));
        client.Refuse(Errno.EINVAL, 15, Fields.Of(2ul, good, 0ul, 0u, 9u, 0ul));
        client.Refuse(Errno.EINVAL, 15, Fields.Of(2ul, good, 0ul, 9u, 1u, 0ul));
        client.Refuse(Errno.EINVAL, 15, Fields.Of(2ul, good, ulong.MaxValue, 0u, 2u, 0ul));
        Assert.Equal([0], client.ReadRegion(0, 0, 1));

        // One that the device refuses does not keep the others back.
        client.Refuse(Errno.EINVAL, 15, Fields.Of(2ul, Fields.Of(0ul, 4u, 1u, 1ul), good));
        Assert.Equal([0xff], client.ReadRegion(0, 0, 1));
    }

    [Fact]
    public async Task Multiple_writes_are_for_clients_that_negotiated_them()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect("{\"capabilities\":{\"write_multiple\":false}}");
        client.Refuse(Errno.EINVAL, 15, Fields.Of(1ul, 0ul, 0u, 1u, 0xfful));
    }

    [Fact]
    public async Task The_devices_errno_travels()
    {
        await using var server = await RunningServer.StartAsync();
        server.Device.OnRead = (_, _, _) => Errno.EIO;
        server.Device.OnWrite = (_, _, _) => (Errno)0xbeef;
        using var client = server.Connect();
        client.Refuse(Errno.EIO, 9, Fields.Of(0ul, 0u, 4u));
        client.Refuse((Errno)0xbeef, 10, Fields.Of(0ul, 0u, 1u, (byte)1));
    }
}
