namespace Vfio.Core.Orchestration.Source;

/// <summary>Brings the devices of a source back to RUNNING, all to each stage before any goes on. Never by a reset.</summary>
internal static class SourceRecovery
{
    /// <summary>Recovers them.</summary>
    /// <param name="devices">Those that were touched, and those that were not.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="clock">The clock of that.</param>
    /// <returns>What went wrong; null: all run.</returns>
    public static async Task<MigrationStepException?> RunAsync(IReadOnlyList<SourceDevice> devices, TimeSpan limit, TimeProvider clock)
    {
        using var end = new CancellationTokenSource(limit, clock);
        MigrationStepException? failure = null;
        var touched = devices.Where(d => d.IsTouched).ToList();

        // Those that stand still take part first: a peer that ran already would write to a device that is stopped. What fails here, fails
        // again below, or does not matter any more.
        foreach (var device in touched.Where(d => devices.Count > 1 && d.Has(MigrationCapabilities.P2P)))
        {
            await TryAsync(async () =>
            {
                if (await device.GetStateAsync(end.Token).ConfigureAwait(false) is MigrationState.Stop or MigrationState.StopCopy)
                    await device.GoAsync(MigrationState.RunningP2P, end.Token).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }

        failure = null;
        foreach (var device in touched)
            await TryAsync(() => device.GoAsync(MigrationState.Running, end.Token)).ConfigureAwait(false);
        return failure;

        async Task TryAsync(Func<Task> step)
        {
            try
            {
                await step().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                failure ??= MigrationStepException.From(e);
            }
        }
    }

    /// <summary>In which state each is now.</summary>
    public static async Task<IReadOnlyList<DeviceLeftIn>> StatesAsync(
        IReadOnlyList<SourceDevice> devices, TimeSpan limit, TimeProvider clock)
    {
        using var end = new CancellationTokenSource(limit, clock);
        var states = new List<DeviceLeftIn>(devices.Count);
        foreach (var device in devices)
        {
            MigrationState? state = null;
            try
            {
                state = await device.GetStateAsync(end.Token).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // A device that does not say where it is, is reported as just that.
            }

            states.Add(new(device.Name, state));
        }

        return states;
    }
}
