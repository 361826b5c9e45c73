using Microsoft.Win32.SafeHandles;

namespace Vfio.Native.Tests;

public sealed class EventFdTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(Libc.EFD_NONBLOCK)]
    public void Signals_add_up_and_are_taken_together(int flags)
    {
        using var eventFd = Libc.eventfd(0, Libc.EFD_CLOEXEC | flags);

        Assert.Equal(0ul, EventFd.Consume(eventFd));
        Assert.True(EventFd.Signal(eventFd));
        Assert.True(EventFd.Signal(eventFd));
        Assert.Equal(2ul, EventFd.Consume(eventFd));
        Assert.Equal(0ul, EventFd.Consume(eventFd));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Libc.EFD_NONBLOCK)]
    public unsafe void A_full_counter_stays_full_and_nobody_waits(int flags)
    {
        using var eventFd = Libc.eventfd(0, Libc.EFD_CLOEXEC | flags);
        var most = ulong.MaxValue - 1;
        Assert.Equal(8, Libc.write(eventFd, &most, 8));

        Assert.True(EventFd.Signal(eventFd));
        Assert.Equal(most, EventFd.Consume(eventFd));
    }

    [Fact]
    public void What_cannot_be_written_is_told()
    {
        using var file = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Read);
        Assert.False(EventFd.Signal(file));
        Assert.False(EventFd.IsEventFd(file));
        using var eventFd = EventFd.Create();
        Assert.True(EventFd.IsEventFd(eventFd));
        Assert.Equal(1, Libc.fcntl(eventFd, Libc.F_GETFD, 0) & 1);
    }

    [Fact]
    public void A_closed_descriptor_is_refused_and_not_confused_with_another()
    {
        var eventFd = EventFd.Create();
        eventFd.Dispose();
        Assert.Throws<ObjectDisposedException>(() => EventFd.Signal(eventFd));
        using var invalid = new SafeFileHandle(-1, ownsHandle: false);
        Assert.False(EventFd.Signal(invalid));
    }

    [Fact]
    public void A_duplicate_is_the_same_eventfd_and_outlives_the_first_descriptor()
    {
        var first = EventFd.Create();
        using var second = EventFd.Duplicate(first);
        using var other = EventFd.Create();
        Assert.Equal(EventFd.Identity(first), EventFd.Identity(second));
        Assert.NotNull(EventFd.Identity(other));
        Assert.NotEqual(EventFd.Identity(first), EventFd.Identity(other));
        Assert.Equal(1, Libc.fcntl(second, Libc.F_GETFD, 0) & 1);

        EventFd.Signal(first);
        first.Dispose();
        Assert.Equal(1ul, EventFd.Consume(second));
        using var invalid = new SafeFileHandle(-1, ownsHandle: false);
        using var none = EventFd.Duplicate(invalid);
        Assert.True(none.IsInvalid);
        Assert.Null(EventFd.Identity(invalid));
    }
}
