namespace Vfio.Core.Orchestration.Source;

/// <summary>PRE_COPY: reads running devices again and again, until what is left fits into the downtime target.</summary>
internal sealed class PrecopyRounds(SourceRun run, IReadOnlyList<SourceDevice> devices, MigrationSourceOptions options)
{
    // There is nothing to wait on: the uAPI has no event for "there is more to read" that goes over a socket.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public int Rounds { get; private set; }

    public bool? Converged { get; private set; }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var device in devices)
        {
            // Who does not know the second version answers questions by the first.
            await device.Operations.EnablePrecopyInfoV2Async(cancellationToken).ConfigureAwait(false);
            await device.GoAsync(MigrationState.PreCopy, cancellationToken).ConfigureAwait(false);
            await device.AskRemainingAsync(cancellationToken).ConfigureAwait(false);
        }

        foreach (var device in run.Devices.Except(devices))
            await device.AskRemainingAsync(cancellationToken).ConfigureAwait(false);
        while (!await HasEndedAsync(await ReadAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false))
        {
        }
    }

    private async Task<ulong> ReadAsync(CancellationToken cancellationToken)
    {
        var before = run.Meter.Bytes;
        foreach (var device in devices)
        {
            device.BeginRound();
            var limit = device.RoundLimit;
            while (device.RoundBytes < limit
                && await run.MovePieceAsync(device, isPrecopy: true, cancellationToken).ConfigureAwait(false))
            {
            }
        }

        foreach (var device in run.Devices)
            await device.AskRemainingAsync(cancellationToken).ConfigureAwait(false);
        Rounds++;
        run.Report();
        return run.Meter.Bytes - before;
    }

    private async Task<bool> HasEndedAsync(ulong moved, CancellationToken cancellationToken)
    {
        var initial = run.Total(d => d.InitialBytes);
        var dirty = run.Total(d => d.DirtyBytes);
        var settled = initial == 0 && !devices.Any(d => d.HasNewInitial);
        if (settled && Fits(SourceDevice.Sum(dirty, run.Total(d => d.StopCopyBytes))))
        {
            Converged = true;
            return true;
        }

        // Where nothing is left to read, only the stopped device's own size is in the way, and no round makes that smaller.
        if (Rounds < options.MaxRounds && (!settled || dirty > 0 || moved > 0))
        {
            if (moved == 0)
                await Task.Delay(Pause, options.TimeProvider, cancellationToken).ConfigureAwait(false);
            return false;
        }

        Converged = false;
        if (options.OnNonConvergence == NonConvergence.Fail)
        {
            throw new MigrationStepException(
                Errno.ETIMEDOUT,
                $"after {Rounds} rounds more is left than fits into a downtime of {options.DowntimeTarget.TotalMilliseconds:0} ms");
        }

        return true;
    }

    // A rate that is not known yet is no reason to go on: nothing was there to measure it by.
    private bool Fits(ulong bytes) => run.Meter.Rate is var rate && (rate <= 0 || bytes / rate <= options.DowntimeTarget.TotalSeconds);
}
