using Vfio.Core.Reset;

namespace Vfio.Core.Tests.Reset;

public sealed class AccessGateTests
{
    [Fact]
    public async Task Whoever_wants_to_be_alone_waits_for_every_access_and_keeps_new_ones_out()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var gate = new AccessGate();
        var log = new List<string>();
        gate.EnterShared();
        var alone = Task.Run(() =>
        {
            gate.EnterAlone();
            lock (log)
                log.Add("alone");
            gate.ExitAlone(true);
        }, cancellation);
        // It wants to be alone once a newcomer is kept out.
        var late = Task.Run(() =>
        {
            while (!alone.IsCompleted)
            {
                gate.EnterShared();
                lock (log)
                    log.Add("shared");
                gate.ExitShared();
            }
        }, cancellation);
        lock (log)
            Assert.DoesNotContain("alone", log);
        gate.ExitShared();
        await alone.WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        await late.WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        Assert.Equal(1, log.Count(l => l == "alone"));
    }

    [Fact]
    public async Task Transfers_are_cancelled_for_as_long_as_an_access_waits_for_one()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var gate = new AccessGate();
        using var transfer = new SemaphoreSlim(0);
        using var entered = new ManualResetEventSlim();
        var access = Task.Run(() =>
        {
            gate.EnterShared();
            entered.Set();
            // Two transfers, one after the other.
            transfer.Wait();
            transfer.Wait();
            gate.ExitShared();
        }, cancellation);
        entered.Wait(cancellation);

        await gate.CloseAsync(() => transfer.Release(), cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        await access.WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        gate.Open();
    }

    [Fact]
    [Trait("Trap", "31")]
    public void Trying_to_be_alone_fails_where_anybody_is_in_and_leaves_nothing_behind()
    {
        var gate = new AccessGate();
        gate.EnterShared();
        Assert.False(gate.TryClose());
        gate.EnterShared();
        gate.ExitShared();
        gate.ExitShared();

        Assert.True(gate.EnterAlone());
        Assert.False(gate.TryClose());
        gate.ExitAlone(true);
        Assert.True(gate.TryClose());
        Assert.False(gate.TryClose());
        gate.Open();
        gate.EnterShared();
        gate.ExitShared();
    }

    [Fact]
    public async Task It_opens_again_where_cancelling_transfers_fails()
    {
        var gate = new AccessGate();
        gate.EnterShared();
        Assert.Throws<InvalidOperationException>(() => gate.EnterAlone(Fail));
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => gate.CloseAsync(Fail, TestContext.Current.CancellationToken).AsTask());
        Assert.True(gate.IsPassable);
        gate.ExitShared();
        Assert.True(gate.TryClose());

        static void Fail() => throw new InvalidOperationException("scripted");
    }

    [Fact]
    public async Task Accesses_and_loners_never_meet()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var gate = new AccessGate();
        int inside = 0, loners = 0, met = 0;
        var shared = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                gate.EnterShared();
                Interlocked.Increment(ref inside);
                if (Volatile.Read(ref loners) != 0)
                    Interlocked.Increment(ref met);
                Interlocked.Decrement(ref inside);
                gate.ExitShared();
            }
        }, cancellation));
        var alone = Enumerable.Range(0, 2).Select(n => Task.Run(async () =>
        {
            for (var i = 0; i < 2_000; i++)
            {
                if (n == 0)
                    gate.EnterAlone();
                else
                    await gate.CloseAsync(() => { }, cancellation);
                Interlocked.Increment(ref loners);
                if (Volatile.Read(ref inside) != 0 || Volatile.Read(ref loners) != 1)
                    Interlocked.Increment(ref met);
                Interlocked.Decrement(ref loners);
                if (n == 0)
                    gate.ExitAlone(true);
                else
                    gate.Open();
            }
        }, cancellation));
        await Task.WhenAll([.. shared, .. alone]).WaitAsync(TimeSpan.FromSeconds(60), cancellation);
        Assert.Equal(0, met);
    }
}
