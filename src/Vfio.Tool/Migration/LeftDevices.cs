using Vfio.Core;

namespace Vfio.Tool.Migration;

/// <summary>Devices behind servers that keep them, where a command that was killed, or failed, has left them.</summary>
internal static class LeftDevices
{
    /// <summary>Brings a source's devices back to RUNNING, if asked to: who asks has made sure that they run nowhere else.</summary>
    /// <exception cref="VfioException">EBUSY: they are on the way, and it was not asked for; or they do not come back.</exception>
    public static async Task RecoverAsync(
        IReadOnlyList<MigratingDevice> devices, bool isAsked, TextWriter error, CancellationToken cancellationToken)
    {
        var left = new List<(MigratingDevice Device, MigrationState State)>();
        foreach (var device in devices)
        {
            var state = await device.Operations.GetStateAsync(cancellationToken).ConfigureAwait(false);
            if (state.IsSuccess && state.Value is not (MigrationState.Running or MigrationState.Error or MigrationState.Resuming))
                left.Add((device, state.Value));
        }

        if (left.Count == 0)
            return;
        var which = string.Join(", ", left.Select(l => $"{l.Device.Name} is in {l.State}"));
        if (!isAsked)
        {
            throw new VfioException(
                Errno.EBUSY, $"{which}, where an earlier migration has left it; if it runs nowhere else, --recover makes it run first");
        }

        // As after any failure: those that stand still take part in P2P before one runs.
        foreach (var (device, state) in left.Where(l => devices.Count > 1 && l.State is MigrationState.Stop or MigrationState.StopCopy))
        {
            if (device.Operations.Capabilities.HasFlag(MigrationCapabilities.P2P))
                await GoAsync(device, MigrationState.RunningP2P, cancellationToken).ConfigureAwait(false);
        }

        foreach (var (device, _) in left)
            await GoAsync(device, MigrationState.Running, cancellationToken).ConfigureAwait(false);
        await error.WriteLineAsync($"vfio: warning: {which}; now it is RUNNING again (--recover)").ConfigureAwait(false);
    }

    /// <summary>Resets a device that was half loaded: nothing of it can be used, and it takes nothing in before.</summary>
    public static async Task DiscardAsync(VfioDevice device, CancellationToken cancellationToken)
    {
        var state = device.MigrationOps is { } operations
            ? await operations.GetStateAsync(cancellationToken).ConfigureAwait(false)
            : MigrationState.Running;
        if (!state.IsSuccess || state.Value != MigrationState.Resuming)
            return;
        var reset = await device.ResetAsync(ResetCause.DeviceReset, cancellationToken).ConfigureAwait(false);
        if (!reset.IsSuccess)
            throw new VfioException(reset.Error, $"a device that is in {state.Value} cannot be reset: {reset.Error}; restart its server");
    }

    private static async Task GoAsync(MigratingDevice device, MigrationState state, CancellationToken cancellationToken)
    {
        var result = await device.Operations.SetStateAsync(state, cancellationToken).ConfigureAwait(false);
        if (!result.IsSuccess)
            throw new VfioException(result.Error, $"{device.Name} does not go to {state}: {result.Error}");
        if (result.Value is { } stream)
            await stream.DisposeAsync().ConfigureAwait(false);
    }
}
