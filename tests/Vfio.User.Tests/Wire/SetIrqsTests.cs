using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class SetIrqsTests
{
    private const uint None = 1, Bool = 2, EventFd = 4, Mask = 8, Unmask = 0x10, Trigger = 0x20;

    private static byte[] Set(uint flags, uint index, uint start, uint count, byte[]? data = null, uint? argsz = null)
        => Fields.Of(argsz ?? (uint)(20 + (data?.Length ?? 0)), flags, index, start, count, data ?? []);

    public static TheoryData<byte[]> Refused => new()
    {
        Array.Empty<byte>(),
        Fields.Of(20u, Trigger | None),
        Set(Trigger | None, 2, 0, 1, argsz: 3),
        Set(Trigger | None, 5, 0, 1),
        Set(Trigger | None, 0xffffffff, 0, 1),
        Set(Mask | Unmask | None, 2, 0, 1),
        Set(Trigger | None | Bool, 2, 0, 1, [1]),
        Set(Trigger, 2, 0, 1),
        Set(Trigger | None | 0x40, 2, 0, 1),
        Set(Trigger | None, 2, 2047, 2),
        Set(Trigger | None, 2, 2049, 1),
        Set(Trigger | None, 2, 284, 0xffffffff),
        Set(Trigger | EventFd, 2, 0, 0xffffffff),
        Set(Mask | None, 3, 0, 1),
        Set(Mask | None, 4, 0, 1),
        Set(Trigger | None, 3, 0, 2),
        Set(Trigger | None, 4, 0, 2),
        Set(Trigger | None, 2, 1, 0),
        Set(Mask | None, 2, 0, 0),
        Set(Trigger | Bool, 2, 0, 0),
        Set(Trigger | Bool, 2, 0, 2, [1]),
        Set(Trigger | Bool, 2, 0, 2, [1, 1, 1]),
        Set(Trigger | Bool, 2, 0, 0xffffffff, [1]),
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_bad_request_is_refused(byte[] payload)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Refuse(Errno.EINVAL, 8, payload);
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task Descriptors_that_do_not_fit_the_request_are_refused()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var one = TestFiles.EventFd();
        client.Refuse(Errno.EINVAL, 8, Set(Trigger | Bool, 2, 0, 1, [1]), one);
        client.Refuse(Errno.EINVAL, 8, Set(Trigger | None, 2, 0, 1), one);
        client.Refuse(Errno.EINVAL, 8, Set(Trigger | EventFd, 2, 0, 2), one);
        client.Refuse(Errno.EINVAL, 8, Set(Trigger | EventFd, 2, 0, 1), one, one);
        client.Refuse(Errno.EINVAL, 8, Set(Trigger | EventFd, 2, 2047, 2), one, one);
        Assert.Empty(server.Device.Triggers);
    }

    [Fact]
    public async Task Only_an_eventfd_may_be_signalled()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var good = TestFiles.EventFd();
        using var memory = TestFiles.UnsealedMemory(4096);
        using var disguised = Native.Libc.memfd_create("anon_inode:[eventfd]", Native.Libc.MFD_CLOEXEC);
        var (socket, other) = RawSocket.Pair();
        using (socket)
        using (other)
        {
            foreach (var bad in new[] { memory, disguised, other })
                client.Refuse(Errno.EINVAL, 8, Set(Trigger | EventFd, 2, 0, 2), good, bad);
        }

        Assert.Empty(server.Device.Triggers);
    }

    [Fact]
    public async Task Eventfds_are_attached_fired_replaced_and_detached()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var first = TestFiles.EventFd(4);
        using var second = TestFiles.EventFd(8);
        Assert.Empty(client.Succeed(8, Set(Trigger | EventFd, 2, 0, 2), first, second));
        client.Succeed(8, Set(Trigger | None, 2, 1, 1));
        Assert.Equal((4ul, 9ul), (TestFiles.Count(first), TestFiles.Count(second)));
        client.Succeed(8, Set(Trigger | Bool, 2, 0, 2, [1, 0]));
        Assert.Equal((1ul, 0ul), (TestFiles.Count(first), TestFiles.Count(second)));

        using var third = TestFiles.EventFd();
        client.Succeed(8, Set(Trigger | EventFd, 2, 1, 1), third);
        client.Succeed(8, Set(Trigger | None, 2, 0, 2));
        Assert.Equal((1ul, 0ul, 1ul), (TestFiles.Count(first), TestFiles.Count(second), TestFiles.Count(third)));

        // No descriptor detaches the range, wherever it begins.
        client.Succeed(8, Set(Trigger | EventFd, 2, 1, 1));
        client.Succeed(8, Set(Trigger | None, 2, 0, 2));
        Assert.Equal((1ul, 0ul), (TestFiles.Count(first), TestFiles.Count(third)));
        client.Succeed(8, Set(Trigger | None, 2, 0, 0));
        Assert.Empty(server.Device.Triggers);
    }

    [Fact]
    public async Task Masks_and_the_vectors_of_qemu_reach_the_device()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(8, Set(Mask | None, 2, 3, 4));
        Assert.Equal((IrqSetFlags.ActionMask | IrqSetFlags.DataNone, 2u, 3u, 4u), Last());
        using var resample = TestFiles.EventFd();
        client.Succeed(8, Set(Unmask | EventFd, 0, 0, 1), resample);
        Assert.Equal((IrqSetFlags.ActionUnmask | IrqSetFlags.DataEventFd, 0u, 0u, 1u), Last());

        var batch = Enumerable.Range(0, 16).Select(_ => TestFiles.EventFd()).ToArray();
        client.Succeed(8, Set(Trigger | EventFd, 2, 32, 16), batch);
        Assert.Equal(16, server.Device.LastIrqSet!.Value.EventFds);
        Array.ForEach(batch, one => one.Dispose());

        (IrqSetFlags, uint, uint, uint) Last()
        {
            var (flags, index, start, count, _, _) = server.Device.LastIrqSet!.Value;
            return (flags, index, start, count);
        }
    }

    [Fact]
    public async Task An_index_array_behind_the_request_places_the_descriptors()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var first = TestFiles.EventFd();
        using var second = TestFiles.EventFd();
        client.Succeed(8, Set(Trigger | EventFd, 2, 5, 3, Fields.Of(1, -1, 0)), first, second);
        Assert.Equal([(2u, 5u), (2u, 7u)], server.Device.Triggers.Keys.Order());
        server.Device.Fire(2, 7);
        Assert.Equal((1ul, 0ul), (TestFiles.Count(first), TestFiles.Count(second)));
        client.Succeed(8, Set(Trigger | EventFd, 2, 5, 3, Fields.Of(-1, -1, -1)));
        Assert.Empty(server.Device.Triggers);

        client.Refuse(Errno.EINVAL, 8, Set(Trigger | EventFd, 2, 5, 2, Fields.Of(0, 0)), first);
        client.Refuse(Errno.EINVAL, 8, Set(Trigger | EventFd, 2, 5, 2, Fields.Of(0, 1)), first);
        client.Refuse(Errno.EINVAL, 8, Set(Trigger | EventFd, 2, 5, 2, Fields.Of(0, -2)), first);

        // Bytes that the argsz does not claim say nothing.
        client.Succeed(8, Set(Trigger | EventFd, 2, 0, 1, Fields.Of(77), argsz: 20), first);
        Assert.Single(server.Device.Triggers);
    }

    [Fact]
    public async Task The_eventfds_of_a_client_that_is_gone_are_dropped()
    {
        await using var server = await RunningServer.StartAsync();
        using (var client = server.Connect())
        {
            using var one = TestFiles.EventFd();
            client.Succeed(8, Set(Trigger | EventFd, 4, 0, 1), one);
            Assert.Single(server.Device.Triggers);
        }

        server.AssertServesNext();
        Assert.Empty(server.Device.Triggers);
    }
}
