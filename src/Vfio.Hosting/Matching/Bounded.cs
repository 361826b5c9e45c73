namespace Vfio.Hosting;

/// <summary>Runs code that may hang, throw or ignore its cancellation, and waits for it no longer than a limit.</summary>
internal static class Bounded
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>Runs the work on a thread of its own.</summary>
    /// <exception cref="OverrunException">It did not end in time; its thread may be lost.</exception>
    public static async Task<T> RunAsync<T>(
        Func<CancellationToken, ValueTask<T>> work, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        // Not disposed: work that was given up may still look at its token.
        var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var task = Task.Factory.StartNew(
            () => work(giveUp.Token).AsTask(),
            CancellationToken.None,
            TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach,
            TaskScheduler.Default).Unwrap();
        if (await EndsAsync(task, limit, time, cancellationToken).ConfigureAwait(false))
            return await task.ConfigureAwait(false);
        Forget(giveUp.CancelAsync());

        // A task that ends now has seen the cancellation; its answer comes too late all the same.
        var heeded = await EndsAsync(task, Grace, time, CancellationToken.None).ConfigureAwait(false);
        Forget(task);
        if (heeded)
            cancellationToken.ThrowIfCancellationRequested();
        throw new OverrunException(limit, heeded);
    }

    private static async Task<bool> EndsAsync(Task task, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        await ((Task)task.WaitAsync(limit, time, cancellationToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return task.IsCompleted;
    }

    // Nobody will await it any more: its exception counts as seen.
    private static void Forget(Task task)
        => task.ContinueWith(
            static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}

/// <summary>Work did not end in time.</summary>
/// <param name="limit">The time that it had.</param>
/// <param name="heeded">Whether it ended when it was cancelled; if not, its thread is lost.</param>
internal sealed class OverrunException(TimeSpan limit, bool heeded)
    : Exception($"did not answer within {limit.TotalSeconds:0.#} s" + (heeded ? string.Empty : ", and went on when it was told to stop"))
{
    public bool Heeded { get; } = heeded;
}
