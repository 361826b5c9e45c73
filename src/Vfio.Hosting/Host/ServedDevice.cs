namespace Vfio.Hosting;

/// <summary>A device that is served over vfio-user until this is disposed.</summary>
public sealed class ServedDevice : IAsyncDisposable
{
    private readonly Func<ValueTask> _stop;
    private readonly Func<CancellationToken, Task> _untilClosed;

    internal ServedDevice(
        VfioDevice device,
        string driver,
        string? degraded,
        Task completion,
        Func<CancellationToken, Task> untilClosed,
        Func<ValueTask> stop)
    {
        _untilClosed = untilClosed;
        Device = device;
        Driver = driver;
        Degraded = degraded;
        Completion = completion;
        _stop = stop;
    }

    /// <summary>The device; its front end opens and closes it.</summary>
    public VfioDevice Device { get; }

    /// <summary>The driver that serves it.</summary>
    public string Driver { get; }

    /// <summary>What is missing of what the driver could do; null if nothing is.</summary>
    public string? Degraded { get; }

    /// <summary>Ends when the serving does; failed if the endpoint broke.</summary>
    public Task Completion { get; }

    /// <summary>
    /// Takes the function back with its client's consent: asks for it at once and every 10 seconds (the request index, VFIO's REQ), until
    /// the client has closed the device, and then ends the serving. A device that breaks can ask nobody: its serving ends with it.
    /// </summary>
    /// <param name="cancellationToken">Ends the asking, and the serving all the same: the client is disconnected.</param>
    public async ValueTask ReclaimAsync(CancellationToken cancellationToken)
    {
        // Given up, or asked to the end: either way it ends.
        await _untilClosed(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Ends the serving, closes the device and gives the function back. A driver that never returns keeps its function, and is waited for
    /// no longer than twice <see cref="VfioHostOptions.OperationTimeout"/> and a little: <see cref="Completion"/> tells.
    /// </summary>
    public ValueTask DisposeAsync() => _stop();
}
