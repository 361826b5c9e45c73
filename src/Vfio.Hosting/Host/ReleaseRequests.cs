using Vfio.Hosting.Devices;

namespace Vfio.Hosting;

/// <summary>Asks a device's client to give it back. Source: the kernel's <c>vfio_unregister_group_dev</c>.</summary>
internal static class ReleaseRequests
{
    /// <summary>How often.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    /// <summary>Asks at once and then every <see cref="Period"/>, until the device is closed, or has broken and can ask nobody.</summary>
    public static async Task UntilClosedAsync(GuardedDevice device, TimeProvider time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        var closed = device.Closed;
        for (var count = 0; !closed.IsCompleted && device.Fault is null; count++)
        {
            device.RequestRelease(count);
            var next = timer.WaitForNextTickAsync(cancellationToken).AsTask();
            if (await Task.WhenAny(closed, next).ConfigureAwait(false) == next)
                await next.ConfigureAwait(false);
        }
    }
}
