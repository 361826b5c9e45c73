namespace Vfio.Core.Tests.Migration;

/// <summary>Something that happens once, and is waited for no longer than a test may take.</summary>
internal sealed class Signal
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TaskCompletionSource _source = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsSet => _source.Task.IsCompleted;

    public void Set() => _source.TrySetResult();

    public Task WaitAsync(CancellationToken cancellationToken = default) => _source.Task.WaitAsync(Patience, cancellationToken);
}

internal static class Patiently
{
    public static Task<T> Soon<T>(this ValueTask<T> task) => task.AsTask().WaitAsync(TimeSpan.FromSeconds(30));

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(TimeSpan.FromSeconds(30));

    public static Task Soon(this Task task) => task.WaitAsync(TimeSpan.FromSeconds(30));
}
