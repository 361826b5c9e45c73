using Vfio.Core.Orchestration.Container;

namespace Vfio.Core.Orchestration.Destination;

/// <summary>The way of the devices to RESUMING, STOP and RUNNING.</summary>
internal sealed class DestinationRun(
    IReadOnlyList<DestinationDevice> devices, FrameReader reader, FrameWriter? replies, MigrationDestinationOptions options)
{
    private readonly ContainerOrder _order = new();
    private readonly TransferMeter _meter = new(options.TimeProvider);
    private MigrationStage _stage;
    private long _ended;

    /// <summary>Whether all is loaded: from here on the source may have stopped.</summary>
    public bool IsLoaded { get; private set; }

    /// <summary>Whether the source has said that it has stopped.</summary>
    public bool IsHandedOver { get; private set; }

    /// <summary>Whether the devices are being run: nobody can give up any more.</summary>
    public bool IsRunning { get; private set; }

    /// <summary>Takes everything in, up to STOP.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        Enter(MigrationStage.Preparing);
        await Compatibility.CheckAsync(devices, options.DevicesAreNoPeers, cancellationToken).ConfigureAwait(false);
        await NextAsync(cancellationToken).ConfigureAwait(false);
        Compatibility.Check(_order.Devices, devices);
        foreach (var device in devices)
            await device.GoAsync(MigrationState.Resuming, cancellationToken).ConfigureAwait(false);
        await ReplyAsync(FrameKind.Accepted, cancellationToken).ConfigureAwait(false);
        Enter(_order.Devices.Any(d => d.IsPrecopied) ? MigrationStage.Precopy : MigrationStage.StopCopy);
        while (await TakeAsync(cancellationToken).ConfigureAwait(false))
        {
        }

        _ended = _meter.Now;
        Enter(MigrationStage.Loading);

        // Without a source to answer to, the rest is there already or never: no device is to load what is not whole.
        if (replies is null)
            await EndAsync(cancellationToken).ConfigureAwait(false);
        foreach (var device in devices)
            await device.GoAsync(MigrationState.Stop, cancellationToken).ConfigureAwait(false);
        IsLoaded = true;
        if (replies is not null)
        {
            await ReplyAsync(FrameKind.Loaded, cancellationToken).ConfigureAwait(false);
            await NextAsync(cancellationToken).ConfigureAwait(false);
        }

        cancellationToken.ThrowIfCancellationRequested();
        IsHandedOver = true;
    }

    /// <summary>Runs the devices, and tells the source.</summary>
    /// <returns>What it came to.</returns>
    public async Task<MigrationSummary> RunAsync()
    {
        IsRunning = true;
        Enter(MigrationStage.HandingOver);
        foreach (var device in devices)
            await device.CheckLoadedAsync().ConfigureAwait(false);
        foreach (var device in devices.Where(d => d.Has(MigrationCapabilities.P2P)))
            await device.RunAsync(MigrationState.RunningP2P).ConfigureAwait(false);
        foreach (var device in devices)
            await device.RunAsync(MigrationState.Running).ConfigureAwait(false);
        var downtime = options.TimeProvider.GetElapsedTime(_ended);
        var confirmed = IsHandedOver && await TryConfirmAsync().ConfigureAwait(false);
        Enter(MigrationStage.Completed);
        return new(_meter.Bytes, 0, 0, null, _meter.Elapsed, downtime, confirmed);
    }

    public async ValueTask ReplyAsync(FrameKind kind, CancellationToken cancellationToken, byte[]? payload = null)
    {
        if (replies is null)
            return;
        await replies.WriteAsync(kind, 0, payload, cancellationToken).ConfigureAwait(false);
        await replies.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    // The devices run; a source that cannot be told stays in STOP.
    private async Task<bool> TryConfirmAsync()
    {
        try
        {
            using var patience = new CancellationTokenSource(options.RefusalTimeout, options.TimeProvider);
            await ReplyAsync(FrameKind.Running, patience.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is IOException or MigrationStepException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }

    private async Task EndAsync(CancellationToken cancellationToken)
    {
        await NextAsync(cancellationToken).ConfigureAwait(false);
        if (await reader.ReadAsync(cancellationToken).ConfigureAwait(false) is not null)
            throw new MigrationStepException(Errno.EBADMSG, "the migration goes on behind its end");
    }

    private async Task<bool> TakeAsync(CancellationToken cancellationToken)
    {
        var since = _meter.Now;
        var frame = await NextAsync(cancellationToken).ConfigureAwait(false);
        if (frame.Kind == FrameKind.Data)
        {
            await devices[(int)frame.Device].WriteAsync(frame.Payload, cancellationToken).ConfigureAwait(false);
            if (_meter.Add((ulong)frame.Payload.Length, since))
                Report();
        }

        return frame.Kind != FrameKind.End;
    }

    private async ValueTask<Frame> NextAsync(CancellationToken cancellationToken)
    {
        var frame = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        _order.Next(frame);
        return frame!.Value;
    }

    private void Enter(MigrationStage stage)
    {
        _stage = stage;
        Report();
    }

    private void Report() => options.Progress?.Report(new(_stage, _meter.Bytes, _meter.Rate, 0, 0, 0, 0, _meter.Elapsed));
}
