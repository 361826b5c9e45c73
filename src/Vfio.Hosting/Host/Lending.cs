namespace Vfio.Hosting;

/// <summary>The devices that are lent out, so that a host that ends takes them back. Thread-safe.</summary>
internal sealed class Lending
{
    private readonly Lock _lock = new();
    private readonly HashSet<IAsyncDisposable> _lent = [];

    public void Add(IAsyncDisposable lent)
    {
        lock (_lock)
            _lent.Add(lent);
    }

    public void Remove(IAsyncDisposable lent)
    {
        lock (_lock)
            _lent.Remove(lent);
    }

    public async Task EndAllAsync()
    {
        IAsyncDisposable[] lent;
        lock (_lock)
            lent = [.. _lent];
        await Task.WhenAll(lent.Select(l => l.DisposeAsync().AsTask())).ConfigureAwait(false);
    }
}
