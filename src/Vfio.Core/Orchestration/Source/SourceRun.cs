using System.Buffers.Binary;
using Vfio.Core.Orchestration.Container;

namespace Vfio.Core.Orchestration.Source;

/// <summary>The way of the devices from RUNNING to STOP, and of their data to the other side.</summary>
internal sealed class SourceRun(
    IReadOnlyList<SourceDevice> devices, FrameWriter writer, MigrationSourceOptions options, DestinationReplies? destination)
{
    private const int SmallPiece = 64 << 10;
    private readonly TransferMeter _meter = new(options.TimeProvider);
    private PrecopyRounds? _precopy;
    private ulong _precopyBytes;
    private long _stopping;
    private int _piece = SmallPiece;

    public MigrationStage Stage { get; private set; }

    public IReadOnlyList<SourceDevice> Devices => devices;

    public TransferMeter Meter => _meter;

    /// <summary>All that comes before the destination may run.</summary>
    public async Task MoveAsync(CancellationToken cancellationToken)
    {
        Enter(MigrationStage.Preparing);
        await CheckAsync(cancellationToken).ConfigureAwait(false);
        var table = DeviceTable.Write([.. devices.Select(d => new TableEntry(d.Name, d.Identity, d.Capabilities, IsPrecopied(d)))]);
        await writer.WriteAsync(FrameKind.Table, 0, table, cancellationToken).ConfigureAwait(false);
        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        if (destination is not null)
            await destination.ExpectAsync(FrameKind.Accepted, cancellationToken).ConfigureAwait(false);
        var precopied = devices.Where(IsPrecopied).ToList();
        if (precopied.Count > 0)
        {
            Enter(MigrationStage.Precopy);
            _precopy = new(this, precopied, options);
            await _precopy.RunAsync(cancellationToken).ConfigureAwait(false);
            _precopyBytes = _meter.Bytes;
        }

        await StopAndCopyAsync(cancellationToken).ConfigureAwait(false);
        Enter(MigrationStage.Loading);
        if (destination is not null)
            await destination.ExpectAsync(FrameKind.Loaded, cancellationToken).ConfigureAwait(false);
        Enter(MigrationStage.HandingOver);
        foreach (var device in devices)
        {
            // A reset meanwhile has left it in RUNNING, and what was read of it is out of date.
            var state = await device.GetStateAsync(cancellationToken).ConfigureAwait(false);
            if (state != MigrationState.StopCopy)
            {
                throw new MigrationStepException(
                    Errno.ENODEV, $"{device.Name} is in {state} and no longer in {MigrationState.StopCopy}: it was reset");
            }


            await device.GoAsync(MigrationState.Stop, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Says that the destination may run. From the beginning of this nobody knows whether it does, until it answers.</summary>
    public async Task HandOverAsync(CancellationToken cancellationToken)
    {
        await writer.WriteAsync(FrameKind.Stopped, 0, [], cancellationToken).ConfigureAwait(false);
        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        if (destination is not null)
            await destination.ExpectAsync(FrameKind.Running, cancellationToken).ConfigureAwait(false);
    }

    public MigrationSummary Complete()
    {
        var downtime = options.TimeProvider.GetElapsedTime(_stopping);
        Enter(MigrationStage.Completed);
        return new(_meter.Bytes, _precopyBytes, _precopy?.Rounds ?? 0, _precopy?.Converged, _meter.Elapsed, downtime, IsConfirmed: true);
    }

    public void Enter(MigrationStage stage)
    {
        Stage = stage;
        Report();
    }

    public void Report() => options.Progress?.Report(new(
        Stage,
        _meter.Bytes,
        _meter.Rate,
        _precopy?.Rounds ?? 0,
        Total(d => d.InitialBytes),
        Total(d => d.DirtyBytes),
        Total(d => d.StopCopyBytes),
        _meter.Elapsed));

    public ulong Total(Func<SourceDevice, ulong> what) => devices.Select(what).Aggregate(0ul, SourceDevice.Sum);

    /// <summary>Moves the next bytes of a device.</summary>
    /// <returns>False: it has no more, or no more for now.</returns>
    public async ValueTask<bool> MovePieceAsync(SourceDevice device, bool isPrecopy, CancellationToken cancellationToken)
    {
        var since = _meter.Now;
        var read = await device.ReadAsync(writer.Room(_piece), isPrecopy, cancellationToken).ConfigureAwait(false);
        if (read == 0)
            return false;
        if (read == _piece)
            _piece = ContainerFormat.MaxPayload;
        await writer.WriteAsync(FrameKind.Data, device.Index, read, cancellationToken).ConfigureAwait(false);
        if (_meter.Add((ulong)read, since))
            Report();
        return true;
    }

    private async Task StopAndCopyAsync(CancellationToken cancellationToken)
    {
        _stopping = _meter.Now;
        Enter(MigrationStage.Quiescing);
        foreach (var device in devices.Where(d => d.Has(MigrationCapabilities.P2P)))
        {
            var quiet = IsPrecopied(device) ? MigrationState.PreCopyP2P : MigrationState.RunningP2P;
            await device.GoAsync(quiet, cancellationToken).ConfigureAwait(false);
        }

        Enter(MigrationStage.StopCopy);
        foreach (var device in devices)
            await device.GoAsync(MigrationState.StopCopy, cancellationToken).ConfigureAwait(false);
        foreach (var device in devices)
        {
            while (await MovePieceAsync(device, isPrecopy: false, cancellationToken).ConfigureAwait(false))
            {
            }

            var bytes = new byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, device.Bytes);
            await writer.WriteAsync(FrameKind.DeviceEnd, device.Index, bytes, cancellationToken).ConfigureAwait(false);
        }

        await writer.WriteAsync(FrameKind.End, 0, [], cancellationToken).ConfigureAwait(false);
        await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task CheckAsync(CancellationToken cancellationToken)
    {
        foreach (var device in devices)
        {
            if (!device.Has(MigrationCapabilities.StopCopy))
                throw new MigrationStepException(Errno.EOPNOTSUPP, $"{device.Name} does not migrate");
            if (devices.Count > 1 && !device.Has(MigrationCapabilities.P2P) && !options.DevicesAreNoPeers)
                throw MovedDevices.WithoutP2P(device.Name);
            var state = await device.GetStateAsync(cancellationToken).ConfigureAwait(false);
            if (state != MigrationState.Running)
                throw new MigrationStepException(Errno.EBUSY, $"{device.Name} is in {state}; it is moved from {MigrationState.Running}");
        }
    }

    private bool IsPrecopied(SourceDevice device) => options.UsePrecopy && device.Has(MigrationCapabilities.PreCopy);
}
