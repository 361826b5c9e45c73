using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.EventFds;
using Vfio.Native;

namespace Vfio.Core.Tests.EventFds;

public sealed class EventFdWatcherTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    private readonly EventFdWatcher _watcher = new();

    [Fact]
    public void The_thread_exists_while_something_is_watched()
    {
        using var eventFd = EventFd.Create();
        using var told = new SemaphoreSlim(0);
        Thread? thread = null;
        var first = _watcher.Add(eventFd, Note, NullLogger.Instance).Value;
        var second = _watcher.Add(eventFd, _ => { }, NullLogger.Instance).Value;
        EventFd.Signal(eventFd);
        Assert.True(told.Wait(Soon, TestContext.Current.CancellationToken));

        _watcher.Remove(first);
        Assert.True(thread!.IsAlive);
        _watcher.Remove(second);
        Assert.False(thread.IsAlive);

        void Note(ulong count)
        {
            thread = Thread.CurrentThread;
            told.Release();
        }
    }

    [Fact]
    public void The_thread_goes_on_for_the_others_whatever_one_throws()
    {
        using SafeFileHandle bad = EventFd.Create(), good = EventFd.Create();
        using SemaphoreSlim thrown = new(0), told = new(0);
        var first = _watcher.Add(bad, Throw, NullLogger.Instance).Value;
        var second = _watcher.Add(good, _ => told.Release(), NullLogger.Instance).Value;

        EventFd.Signal(bad);
        Assert.True(thrown.Wait(Soon, TestContext.Current.CancellationToken));
        EventFd.Signal(good);
        Assert.True(told.Wait(Soon, TestContext.Current.CancellationToken));
        EventFd.Signal(bad);
        Assert.True(thrown.Wait(Soon, TestContext.Current.CancellationToken));
        _watcher.Remove(first);
        _watcher.Remove(second);

        void Throw(ulong count)
        {
            thrown.Release();
            throw new InvalidOperationException("scripted");
        }
    }

    [Fact]
    public void A_watch_takes_the_counter_and_one_that_is_signalled_already_tells_at_once()
    {
        using var eventFd = EventFd.Create();
        using var told = new SemaphoreSlim(0);
        var counts = new List<ulong>();
        EventFd.Signal(eventFd);
        EventFd.Signal(eventFd);

        var watch = _watcher.Add(eventFd, Tell, NullLogger.Instance).Value;
        Assert.True(told.Wait(Soon, TestContext.Current.CancellationToken));
        EventFd.Signal(eventFd);
        Assert.True(told.Wait(Soon, TestContext.Current.CancellationToken));
        Assert.Equal([2ul, 1], counts);
        _watcher.Remove(watch);
        EventFd.Signal(eventFd);
        Assert.Equal(1ul, EventFd.Consume(eventFd));

        void Tell(ulong count)
        {
            counts.Add(count);
            told.Release();
        }
    }

    [Fact]
    public void Everyone_who_watches_one_eventfd_is_told_of_each_signal()
    {
        using var eventFd = EventFd.Create();
        using var another = EventFd.Duplicate(eventFd);
        using var first = new SemaphoreSlim(0);
        using var second = new SemaphoreSlim(0);
        var one = _watcher.Add(eventFd, _ => first.Release(), NullLogger.Instance).Value;
        var two = _watcher.Add(another, _ => second.Release(), NullLogger.Instance).Value;

        for (var i = 0; i < 100; i++)
        {
            EventFd.Signal(eventFd);
            Assert.True(first.Wait(Soon, TestContext.Current.CancellationToken));
            Assert.True(second.Wait(Soon, TestContext.Current.CancellationToken));
        }

        _watcher.Remove(one);
        EventFd.Signal(eventFd);
        Assert.True(second.Wait(Soon, TestContext.Current.CancellationToken));
        _watcher.Remove(two);
        Assert.Equal(0, first.CurrentCount);
    }

    [Fact]
    public void The_eventfd_stays_the_callers_and_may_be_closed_by_it()
    {
        using var client = EventFd.Create();
        using var told = new SemaphoreSlim(0);
        var given = EventFd.Duplicate(client);
        var watch = _watcher.Add(given, _ => told.Release(), NullLogger.Instance).Value;
        given.Dispose();

        EventFd.Signal(client);
        Assert.True(told.Wait(Soon, TestContext.Current.CancellationToken));
        _watcher.Remove(watch);
    }

    [Fact]
    public async Task Removing_waits_for_what_is_being_done_and_is_followed_by_nothing()
    {
        using var eventFd = EventFd.Create();
        using var other = EventFd.Create();
        using var begun = new SemaphoreSlim(0);
        using var goOn = new SemaphoreSlim(0);
        var done = 0;
        var watch = _watcher.Add(eventFd, Act, NullLogger.Instance).Value;
        var keeps = _watcher.Add(other, _ => { }, NullLogger.Instance).Value;
        EventFd.Signal(eventFd);
        await begun.WaitAsync(TestContext.Current.CancellationToken);

        var removing = Task.Run(() => _watcher.Remove(watch), TestContext.Current.CancellationToken);
        // It has let go of the descriptor, and waits.
        Assert.Equal(0, Volatile.Read(ref done));
        goOn.Release();
        await removing.WaitAsync(Soon, TestContext.Current.CancellationToken);
        Assert.Equal(1, Volatile.Read(ref done));
        _watcher.Remove(keeps);

        void Act(ulong count)
        {
            begun.Release();
            goOn.Wait();
            Volatile.Write(ref done, 1);
        }
    }

    [Fact]
    public void A_thousand_eventfds_are_watched_by_turns_and_a_signal_allocates_nothing()
    {
        const int Count = 1000, Rounds = 20;
        var eventFds = Enumerable.Range(0, Count).Select(_ => EventFd.Create()).ToArray();
        using var done = new CountdownEvent(Count);
        var allocated = new long[2];
        var watches = eventFds.Select(e => _watcher.Add(e, Note, NullLogger.Instance).Value).ToArray();

        for (var round = 0; round < Rounds; round++)
        {
            done.Reset();
            Array.ForEach(eventFds, e => EventFd.Signal(e));
            Assert.True(done.Wait(Soon, TestContext.Current.CancellationToken));
            if (round == 1)
                allocated[0] = Volatile.Read(ref allocated[1]);
        }

        Array.ForEach(watches, _watcher.Remove);
        Array.ForEach(eventFds, e => e.Dispose());
        Assert.Equal(allocated[0], allocated[1]);

        void Note(ulong count)
        {
            Volatile.Write(ref allocated[1], GC.GetAllocatedBytesForCurrentThread());
            done.Signal();
        }
    }

    [Fact]
    public async Task Adding_and_removing_from_many_threads_while_signals_come_loses_none()
    {
        var signals = 0;
        var seen = 0L;
        await Parallel.ForAsync(0, 8, TestContext.Current.CancellationToken, (_, cancellation) =>
        {
            for (var i = 0; i < 50; i++)
            {
                using var eventFd = EventFd.Create();
                using var told = new SemaphoreSlim(0);
                var watch = _watcher.Add(eventFd, Take, NullLogger.Instance).Value;
                EventFd.Signal(eventFd);
                Interlocked.Increment(ref signals);
                Assert.True(told.Wait(Soon, cancellation));
                _watcher.Remove(watch);

                void Take(ulong count)
                {
                    Interlocked.Add(ref seen, (long)count);
                    told.Release();
                }
            }

            return ValueTask.CompletedTask;
        });
        Assert.Equal(signals, seen);
    }

    [Fact]
    public void What_cannot_be_watched_is_refused()
    {
        using var invalid = new SafeFileHandle(-1, ownsHandle: false);
        Assert.False(_watcher.Add(invalid, _ => { }, NullLogger.Instance).IsSuccess);
        using var eventFd = EventFd.Create();
        _watcher.Remove(_watcher.Add(eventFd, _ => { }, NullLogger.Instance).Value);
    }
}
