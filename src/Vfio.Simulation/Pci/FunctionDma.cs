namespace Vfio.Simulation.Pci;

/// <summary>
/// A function's way to memory: what it was connected to, and only while it may master the bus. Thread-safe; the device's own thread uses
/// it, others connect and halt it.
/// </summary>
internal sealed class FunctionDma
{
    // One cancellation can fall between a transfer's start and its registration with the space, so it is repeated until the device has come
    // to rest.
    private static readonly TimeSpan CancelEvery = TimeSpan.FromMilliseconds(10);
    private volatile IDmaSpace? _space;
    private volatile bool _busMaster;
    private int _halts;

    /// <summary>Whether a transfer could start now.</summary>
    internal bool IsEnabled => _busMaster && Volatile.Read(ref _halts) == 0;

    /// <summary>COMMAND.BusMaster in D0.</summary>
    internal bool BusMaster
    {
        get => _busMaster;
        set => _busMaster = value;
    }

    /// <summary>Told when a halt is over: what came in the meantime was not acted upon.</summary>
    internal Action? Resumed { get; set; }

    internal bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
    {
        segment = default;
        return IsEnabled && _space is { } space && space.TryAcquire(iova, length, access, out segment);
    }

    /// <inheritdoc cref="IDmaSpace.Read"/>
    internal VfioResult Read(ulong iova, Span<byte> destination)
        => !IsEnabled ? Errno.ECANCELED : _space is { } space ? space.Read(iova, destination) : Errno.EFAULT;

    /// <inheritdoc cref="IDmaSpace.Write"/>
    internal VfioResult Write(ulong iova, ReadOnlySpan<byte> source)
        => !IsEnabled ? Errno.ECANCELED : _space is { } space ? space.Write(iova, source) : Errno.EFAULT;

    /// <summary>
    /// Lets no transfer start and ends those that wait for the other side, until the device has come to rest; then does what is to be done.
    /// </summary>
    /// <param name="rest">Starts the device's way to rest: completes when its thread is past everything it had begun.</param>
    /// <param name="atRest">Runs before transfers are let through again.</param>
    internal async Task HaltAsync(Func<Task> rest, Action? atRest = null)
    {
        Interlocked.Increment(ref _halts);
        try
        {
            var resting = rest();
            while (true)
            {
                _space?.CancelTransfers();
                try
                {
                    await resting.WaitAsync(CancelEvery).ConfigureAwait(false);
                    break;
                }
                catch (TimeoutException) when (!resting.IsFaulted)
                {
                    continue;
                }
            }

            atRest?.Invoke();
        }
        finally
        {
            Interlocked.Decrement(ref _halts);
            Resumed?.Invoke();
        }
    }

    /// <summary>Halts for good: the device is powered off.</summary>
    internal Task SeverAsync(Func<Task> rest)
    {
        Interlocked.Increment(ref _halts);
        return ConnectAsync(null, rest);
    }

    /// <summary>Connects another space; the former one is not used any more once the task has completed.</summary>
    internal Task ConnectAsync(IDmaSpace? space, Func<Task> rest) => HaltAsync(rest, () => _space = space);
}
