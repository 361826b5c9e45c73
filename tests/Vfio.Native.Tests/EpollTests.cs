using Microsoft.Win32.SafeHandles;

namespace Vfio.Native.Tests;

public sealed class EpollTests
{
    [Fact]
    public void What_is_readable_is_found_until_it_is_consumed()
    {
        using var epoll = Epoll.Create()!;
        using var first = EventFd.Create();
        using var second = EventFd.Create();
        var ready = new EpollReady[4];
        Assert.Equal(0, epoll.Add(first, 0x1122_3344_5566_7788));
        Assert.Equal(0, epoll.Add(second, ulong.MaxValue));

        Assert.Equal(0, epoll.Wait(ready, 0));
        EventFd.Signal(first);
        Assert.Equal(1, epoll.Wait(ready, 10_000));
        Assert.Equal(new(0x1122_3344_5566_7788, Libc.EPOLLIN), ready[0]);
        EventFd.Signal(second);
        Assert.Equal(2, epoll.Wait(ready, 10_000));
        Assert.Equal([0x1122_3344_5566_7788ul, ulong.MaxValue], ready[..2].Select(r => r.Data).Order());
        Assert.Equal(1ul, EventFd.Consume(first));
        Assert.Equal(1, epoll.Wait(ready, 10_000));
        Assert.Equal(ulong.MaxValue, ready[0].Data);
    }

    [Fact]
    public void No_ready_descriptor_is_left_out_for_ever_where_more_are_ready_than_fit()
    {
        using var epoll = Epoll.Create()!;
        var eventFds = Enumerable.Range(0, 5).Select(_ => EventFd.Create()).ToArray();
        var ready = new EpollReady[2];
        for (var i = 0; i < eventFds.Length; i++)
        {
            Assert.Equal(0, epoll.Add(eventFds[i], (ulong)i));
            EventFd.Signal(eventFds[i]);
        }

        // Nobody consumes anything: the turns alone must bring all of them.
        var found = new HashSet<ulong>();
        for (var turn = 0; turn < 3; turn++)
        {
            Assert.Equal(2, epoll.Wait(ready, 10_000));
            found.UnionWith(ready.Select(r => r.Data));
        }

        Assert.Equal(5, found.Count);
        Array.ForEach(eventFds, e => e.Dispose());
    }

    [Fact]
    public void A_removed_descriptor_is_not_found_though_its_file_lives_on()
    {
        const int EEXIST = 17, ENOENT = 2;
        using var epoll = Epoll.Create()!;
        using var client = EventFd.Create();
        using var mine = EventFd.Duplicate(client);
        Assert.Equal(0, epoll.Add(mine, 1));
        Assert.Equal(EEXIST, epoll.Add(mine, 2));

        Assert.Equal(0, epoll.Remove(mine));
        EventFd.Signal(client);
        Assert.Equal(0, epoll.Wait(new EpollReady[1], 0));
        Assert.Equal(ENOENT, epoll.Remove(mine));
    }

    [Fact]
    public void Waiting_allocates_nothing()
    {
        using var epoll = Epoll.Create()!;
        using var eventFd = EventFd.Create();
        var ready = new EpollReady[8];
        epoll.Add(eventFd, 7);
        EventFd.Signal(eventFd);
        epoll.Wait(ready, 0);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            epoll.Wait(ready, 0);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Nothing_is_waited_for_with_a_descriptor_that_is_none()
    {
        const int EBADF = 9;
        using var epoll = Epoll.Create()!;
        using var invalid = new SafeFileHandle(-1, ownsHandle: false);
        Assert.Equal(EBADF, epoll.Add(invalid, 0));
    }
}
