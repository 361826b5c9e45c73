using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Relaying;

/// <summary>A variant over a relay, that notes what it is told.</summary>
internal sealed class RelayDevice(IVfioPciCore core) : VfioPciDevice(core)
{
    private readonly Lock _noting = new();
    private readonly List<string> _hooks = [];

    public new IVfioPciCore Core => base.Core;

    public Action<ResetCause>? OnPrepare { get; set; }

    public Action<ResetCause>? OnDone { get; set; }

    public string[] Hooks
    {
        get
        {
            lock (_noting)
                return [.. _hooks];
        }
    }

    public static RelayDevice Closed(ScriptedFunction function) => new(VfioPciCores.Over(RelayedFunction.Over(function)));

    public static async Task<RelayDevice> Open(ScriptedFunction function, IDmaSpace? dma = null)
    {
        var device = Closed(function);
        var opened = await device.OpenAsync(new() { Dma = dma ?? new DmaSpace() }, TestContext.Current.CancellationToken);
        Assert.Equal(Errno.None, opened.Error);
        device.Forget();
        return device;
    }

    public void Forget()
    {
        lock (_noting)
            _hooks.Clear();
    }

    protected override void ResetPrepare(ResetCause cause)
    {
        Note($"prepare {cause}");
        OnPrepare?.Invoke(cause);
    }

    protected override void ResetDone(ResetCause cause)
    {
        Note($"done {cause}");
        OnDone?.Invoke(cause);
    }

    private void Note(string hook)
    {
        lock (_noting)
            _hooks.Add(hook);
    }
}
