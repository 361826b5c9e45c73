namespace Vfio.Tests.Variants;

public sealed class DeferredResetTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_reset_applies_itself_where_the_state_is_free()
    {
        var applied = 0;
        var state = new DeferredReset(() => applied++);

        state.OnResetDone();
        Assert.Equal(1, applied);
    }

    [Fact]
    [Trait("Trap", "32")]
    public async Task A_reset_does_not_wait_for_the_state_and_is_applied_when_it_is_left()
    {
        var applied = 0;
        var state = new DeferredReset(() => applied++);
        await state.EnterAsync(Cancellation);

        state.OnResetDone();
        state.OnResetDone();
        Assert.Equal(0, applied);
        state.Exit();
        Assert.Equal(1, applied);
        await state.EnterAsync(Cancellation);
        state.Exit();
        Assert.Equal(1, applied);
    }

    [Fact]
    [Trait("Trap", "32")]
    public async Task A_reset_that_comes_while_another_is_applied_is_applied_too()
    {
        var applied = 0;
        DeferredReset? state = null;
        state = new(() =>
        {
            if (applied++ == 0)
                state!.OnResetDone();
        });
        await state.EnterAsync(Cancellation);
        state.OnResetDone();

        state.Exit();
        Assert.Equal(2, applied);
    }

    [Fact]
    [Trait("Trap", "32")]
    public async Task No_reset_is_lost_and_none_meets_a_holder()
    {
        int inside = 0, met = 0, sinceReset = 0, stale = 0;
        var state = new DeferredReset(() =>
        {
            if (Volatile.Read(ref inside) != 0)
                Interlocked.Increment(ref met);
            Volatile.Write(ref sinceReset, 0);
        });
        var holders = Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < 5_000; i++)
            {
                await state.EnterAsync(Cancellation);
                Interlocked.Increment(ref inside);
                Volatile.Write(ref sinceReset, 1);
                Interlocked.Decrement(ref inside);
                state.Exit();
            }
        }, Cancellation)).ToArray();
        var resets = Task.Run(() =>
        {
            for (var i = 0; i < 5_000; i++)
                state.OnResetDone();
        }, Cancellation);
        await Task.WhenAll([.. holders, resets]).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.Equal(0, met);

        // After the last holder has gone, a reset must leave nothing of what they did.
        await state.EnterAsync(Cancellation);
        sinceReset = 1;
        state.OnResetDone();
        state.Exit();
        if (sinceReset != 0)
            stale++;
        Assert.Equal(0, stale);
    }

    [Fact]
    public async Task A_variant_that_throws_does_not_keep_the_state()
    {
        var applied = 0;
        var state = new DeferredReset(() =>
        {
            applied++;
            throw new InvalidOperationException("the variant is at fault");
        });

        Assert.Throws<InvalidOperationException>(state.OnResetDone);
        await state.EnterAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(1), Cancellation);
        state.OnResetDone();
        Assert.Throws<InvalidOperationException>(state.Exit);
        Assert.Equal(2, applied);
        await state.EnterAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(1), Cancellation);
        state.Exit();
    }
}
