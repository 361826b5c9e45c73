using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class InfoTests
{
    [Fact]
    public async Task Device_info_is_16_bytes_with_9_regions_and_5_irq_indexes()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        Assert.Equal(Fields.Of(16u, 3u, 9u, 5u), client.Succeed(4, Fields.Of(16u, 0u, 0u, 0u)));
        Assert.Equal(Fields.Of(16u, 3u, 9u, 5u), client.Succeed(4, Fields.Of(32u, 0u, 0u, 0u)));
        client.Refuse(Errno.EINVAL, 4, Fields.Of(16u, 0u));
        client.Refuse(Errno.EINVAL, 4, Fields.Of(8u, 0u, 0u, 0u));
    }

    [Fact]
    public async Task A_plain_region_is_32_bytes_without_capabilities()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var expected = Fields.Of(32u, 3u, 0u, 0u, 0x1000ul, 0ul);
        Assert.Equal(expected, client.Succeed(5, Fields.Of(32u, 0u, 0u, 0u, 0ul, 0ul)));
        Assert.Equal(expected, client.Succeed(5, Fields.Of(40u, 0u, 0u, 0u, 0ul, 0ul)));
        Assert.Equal(Fields.Of(32u, 3u, 7u, 0u, 256ul, 0ul), client.Succeed(5, Fields.Of(4064u, 0u, 7u, 0u, 0ul, 0ul, new byte[4032])));
        Assert.Equal(Fields.Of(32u, 0u, 3u, 0u, 0ul, 0ul), client.Succeed(5, Fields.Of(32u, 0u, 3u, 0u, 0ul, 0ul)));
    }

    [Fact]
    public async Task A_mappable_region_gives_its_file_and_its_areas_with_the_whole_answer_alone()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();

        var first = client.Request(5, Fields.Of(32u, 0u, 1u, 0u, 0ul, 0ul));
        Assert.Equal(Fields.Of(80u, 7u, 1u, 0u, 0x8000ul, 0x8000ul), first.Payload);
        var second = client.Request(5, Fields.Of(80u, 0u, 1u, 0u, 0ul, 0ul, new byte[48]));
        Assert.Equal(
            Fields.Of(80u, 15u, 1u, 32u, 0x8000ul, 0x8000ul, (ushort)1, (ushort)1, 0u, 2u, 0u, 0x2000ul, 0x1000ul, 0x4000ul, 0x2000ul),
            second.Payload);

        // libvfio-user's client fails at a descriptor that comes while it asks how long the answer is.
        Assert.Empty(first.Descriptors);
        using var file = new SafeFileHandle(Assert.Single(second.Descriptors), true);
        Assert.Equal(0x10000, RandomAccess.GetLength(file));
    }

    [Fact]
    public async Task A_client_that_takes_no_descriptors_is_told_of_no_mapping()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect("{\"capabilities\":{\"max_msg_fds\":0}}");
        var reply = client.Request(5, Fields.Of(80u, 0u, 1u, 0u, 0ul, 0ul));
        Assert.Equal(Fields.Of(32u, 3u, 1u, 0u, 0x8000ul, 0ul), reply.Payload);
        Assert.Empty(reply.Descriptors);
    }

    [Fact]
    public async Task Bad_region_requests_are_refused()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Refuse(Errno.EINVAL, 5, Fields.Of(32u, 0u));
        foreach (var argsz in new uint[] { 0, 8, 31 })
            client.Refuse(Errno.EINVAL, 5, Fields.Of(argsz, 0u, 0u, 0u, 0ul, 0ul));
        foreach (var index in new[] { 9u, 0x80000000u, 0xffffffffu })
            client.Refuse(Errno.EINVAL, 5, Fields.Of(32u, 0u, index, 0u, 0ul, 0ul));
        Assert.Equal(32, client.Succeed(5, Fields.Of(0xffffffffu, 0u, 0u, 0u, 0ul, 0ul)).Length);
    }

    [Fact]
    public async Task Ioeventfds_come_youngest_first_in_48_bytes_each()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var reply = client.Request(6, Fields.Of(16u + (10 * 48), 0u, 2u, 0u));

        Assert.Equal(6, reply.Descriptors.Length);
        Assert.Equal(Fields.Of(16u + (6 * 48), 0u, 2u, 6u), reply.Payload[..16]);
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(
                Fields.Of((ulong)(40 - (8 * i)), 8ul, (uint)i, 0u, 0u, 0u, 0ul, 0ul), reply.Payload.AsSpan(16 + (48 * i), 48).ToArray());
            using var theirs = new SafeFileHandle(reply.Descriptors[i], true);
            RandomAccessWrite(theirs, 5);
            Assert.Equal(5ul, TestFiles.Count(server.Device.IoEventFds[5 - i].EventFd));
            RandomAccessWrite(server.Device.IoEventFds[5 - i].EventFd, 7);
            Assert.Equal(7ul, TestFiles.Count(theirs));
        }
    }

    [Fact]
    public async Task Two_ioeventfds_that_share_a_descriptor_share_its_index()
    {
        await using var server = await RunningServer.StartAsync();
        server.Device.IoEventFds.Add(new RegionIoEventFd(48, 4, TestFiles.EventFd(), 1, 0x1234));
        server.Device.IoEventFds.Add(new RegionIoEventFd(56, 4, server.Device.IoEventFds[6].EventFd));
        using var client = server.Connect();
        var reply = client.Request(6, Fields.Of(16u + (8 * 48), 0u, 2u, 0u));
        Assert.Equal((8, 7), (BitConverter.ToInt32(reply.Payload, 12), reply.Descriptors.Length));
        Assert.Equal(Fields.Of(56ul, 4ul, 0u, 0u, 0u, 0u, 0ul, 0ul), reply.Payload.AsSpan(16, 48).ToArray());
        Assert.Equal(Fields.Of(48ul, 4ul, 0u, 0u, 1u, 0u, 0ul, 0x1234ul), reply.Payload.AsSpan(64, 48).ToArray());
        foreach (var descriptor in reply.Descriptors)
            new SafeFileHandle(descriptor, true).Dispose();
    }

    [Fact]
    public async Task A_place_without_an_eventfd_has_no_descriptor()
    {
        await using var server = await RunningServer.StartAsync();
        using var none = new SafeFileHandle(-1, ownsHandle: false);
        server.Device.IoEventFds.Add(new RegionIoEventFd(48, 8, none));
        using var client = server.Connect();
        var reply = client.Request(6, Fields.Of(16u + (7 * 48), 0u, 2u, 0u));
        Assert.Equal((7, 6), (BitConverter.ToInt32(reply.Payload, 12), reply.Descriptors.Length));
        Assert.Equal(Fields.Of(48ul, 8ul, uint.MaxValue, 0u, 0u, 0u, 0ul, 0ul), reply.Payload.AsSpan(16, 48).ToArray());
        Assert.Equal(Fields.Of(40ul, 8ul, 0u, 0u, 0u, 0u, 0ul, 0ul), reply.Payload.AsSpan(64, 48).ToArray());
        foreach (var descriptor in reply.Descriptors)
            new SafeFileHandle(descriptor, true).Dispose();
    }

    [Fact]
    public async Task A_device_that_answers_a_closed_descriptor_fails_that_request_alone()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        server.Device.IoEventFds[0].EventFd.Dispose();
        client.Refuse(Errno.EIO, 6, Fields.Of(16u + (6 * 48u), 0u, 2u, 0u));
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task A_small_argsz_gets_the_count_and_no_descriptors()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var reply = client.Request(6, Fields.Of(16u, 0u, 2u, 0u));
        Assert.Equal(Fields.Of(16u + (6 * 48), 0u, 2u, 6u), reply.Payload);
        Assert.Empty(reply.Descriptors);
        Assert.Equal(Fields.Of(16u, 0u, 1u, 0u), client.Succeed(6, Fields.Of(16u, 0u, 1u, 0u)));
    }

    [Fact]
    public async Task Bad_ioeventfd_requests_are_refused()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect("{\"capabilities\":{\"max_msg_fds\":5}}");
        client.Refuse(Errno.EINVAL, 6, Fields.Of(16u, 1u, 2u, 0u));
        client.Refuse(Errno.EINVAL, 6, Fields.Of(16u, 0u, 2u, 1u));
        client.Refuse(Errno.EINVAL, 6, Fields.Of(15u, 0u, 2u, 0u));
        client.Refuse(Errno.EINVAL, 6, Fields.Of((1u << 20) + 1, 0u, 2u, 0u));
        client.Refuse(Errno.EINVAL, 6, Fields.Of(16u, 0u, 512u, 0u));
        client.Refuse(Errno.EINVAL, 6, Fields.Of(16u, 0u, 3u, 0u));
        client.Refuse(Errno.EINVAL, 6, Fields.Of(16u, 0u, 2u));

        // Six would come; the client takes five.
        client.Refuse(Errno.EINVAL, 6, Fields.Of(4096u, 0u, 2u, 0u));
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task Irq_info_is_the_devices()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        Assert.Equal(Fields.Of(16u, 7u, 0u, 1u), client.Succeed(7, Fields.Of(16u, 0u, 0u, 0u)));
        Assert.Equal(Fields.Of(16u, 1u, 1u, 0u), client.Succeed(7, Fields.Of(16u, 0u, 1u, 0u)));
        Assert.Equal(Fields.Of(16u, 1u, 2u, 2048u), client.Succeed(7, Fields.Of(16u, 0u, 2u, 0u)));
        Assert.Equal(Fields.Of(16u, 1u, 4u, 1u), client.Succeed(7, Fields.Of(32u, 0u, 4u, 0u)));
        client.Refuse(Errno.EINVAL, 7, Fields.Of(16u, 0u));
        client.Refuse(Errno.EINVAL, 7, Fields.Of(8u, 0u, 0u, 0u));
        client.Refuse(Errno.EINVAL, 7, Fields.Of(16u, 0u, 5u, 0u));
        client.Refuse(Errno.EINVAL, 7, Fields.Of(16u, 0u, 0xffffffffu, 0u));
    }

    private static unsafe void RandomAccessWrite(SafeFileHandle eventFd, ulong value)
        => Assert.Equal(sizeof(ulong), Native.Libc.write(eventFd, &value, sizeof(ulong)));
}
