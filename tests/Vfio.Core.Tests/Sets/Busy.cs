namespace Vfio.Core.Tests.Sets;

/// <summary>Something that takes until a test says that it is over.</summary>
internal sealed class Busy : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly SemaphoreSlim _entered = new(0);
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Waits until it has begun.</summary>
    public void Wait() => Assert.True(_entered.Wait(Patience, TestContext.Current.CancellationToken));

    public void Enter()
    {
        _entered.Release();
        Assert.True(_left.Task.Wait(Patience, TestContext.Current.CancellationToken));
    }

    public async Task<VfioResult> EnterAsync()
    {
        _entered.Release();
        await _left.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        return VfioResult.Success;
    }

    public void Leave() => _left.TrySetResult();

    public void Dispose() => _entered.Dispose();
}
