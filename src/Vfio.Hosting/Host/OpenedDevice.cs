namespace Vfio.Hosting;

/// <summary>A device that is open in this process, and whose it is until it is disposed.</summary>
public sealed class OpenedDevice : IAsyncDisposable
{
    private Func<ValueTask>? _close;

    internal OpenedDevice(VfioDevice device, string driver, string? degraded, DmaSpace dma, Func<ValueTask> close)
    {
        Device = device;
        Driver = driver;
        Degraded = degraded;
        Dma = dma;
        _close = close;
    }

    /// <summary>The device: open. It answers EIO once its driver has failed.</summary>
    public VfioDevice Device { get; }

    /// <summary>The driver that serves it.</summary>
    public string Driver { get; }

    /// <summary>What is missing of what the driver could do; null if nothing is.</summary>
    public string? Degraded { get; }

    /// <summary>The memory that its DMA reaches.</summary>
    public DmaSpace Dma { get; }

    /// <summary>Closes the device and gives the function back; unmaps the memory, unless the space was the caller's.</summary>
    public ValueTask DisposeAsync() => Interlocked.Exchange(ref _close, null)?.Invoke() ?? ValueTask.CompletedTask;
}
