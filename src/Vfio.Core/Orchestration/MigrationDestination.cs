using Vfio.Core.Orchestration;
using Vfio.Core.Orchestration.Container;
using Vfio.Core.Orchestration.Destination;

namespace Vfio.Core;

/// <summary>Takes devices over: the destination's side. It goes with a <see cref="MigrationSource"/>, or reads a file. Used once.</summary>
/// <remarks>
/// Its devices run only after the source has said that its own have stopped. Until then a failure leaves them where they are, RESUMING or
/// STOP, with what was loaded; the owner closes or resets them.
/// </remarks>
public sealed class MigrationDestination
{
    private readonly IReadOnlyList<DestinationDevice> _devices;
    private readonly MigrationDestinationOptions _options;
    private int _used;

    /// <summary>Creates a destination.</summary>
    /// <param name="devices">The devices, in the order of the source's, in RUNNING or STOP.</param>
    /// <param name="options">How; null for what the options begin with.</param>
    /// <exception cref="VfioException">EINVAL: no device, too many, or two of one name.</exception>
    public MigrationDestination(IReadOnlyList<MigratingDevice> devices, MigrationDestinationOptions? options = null)
    {
        _options = options ?? new();
        MovedDevices.Check(devices);
        _devices = [.. devices.Select(device => new DestinationDevice(device))];
    }

    /// <summary>Takes the devices over from a source.</summary>
    /// <param name="connection">A two-way stream, which stays the caller's to close; good for nothing else afterwards.</param>
    /// <param name="cancellationToken">Gives up. Not heeded any more once the source has stopped.</param>
    /// <exception cref="MigrationFailedException">It failed; <see cref="MigrationFailedException.Outcome"/> says who may run.</exception>
    /// <exception cref="OperationCanceledException">It was given up; the devices do not run.</exception>
    public async Task<MigrationSummary> ReceiveAsync(Stream connection, CancellationToken cancellationToken)
    {
        MovedDevices.UseOnce(ref _used);
        var run = new DestinationRun(_devices, new(connection), new(connection), _options);
        try
        {
            try
            {
                await run.LoadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (MayRunWithoutSource(run, e, cancellationToken))
            {
                // Whoever chose this has made sure that the source does not run.
            }

            return await run.RunAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            var cause = MigrationStepException.From(e);
            await RefuseAsync(run, connection, cause, cancellationToken).ConfigureAwait(false);
            throw await FailedAsync(run, cause, isFile: false, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await DropStreamsAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Takes the devices out of a file, and runs them.</summary>
    /// <param name="file">
    /// The file. One that can be read twice is checked as a whole before a device is touched; any other before one is asked to run.
    /// </param>
    /// <param name="cancellationToken">Gives up. Not heeded any more once all is loaded.</param>
    /// <exception cref="MigrationFailedException">It failed; <see cref="MigrationFailedException.Outcome"/> says who may run.</exception>
    /// <exception cref="OperationCanceledException">It was given up; the devices do not run.</exception>
    public async Task<MigrationSummary> RestoreAsync(Stream file, CancellationToken cancellationToken)
    {
        MovedDevices.UseOnce(ref _used);
        var run = new DestinationRun(_devices, new(file), null, _options);
        try
        {
            if (file.CanSeek)
            {
                var begin = file.Position;
                await ContainerCheck.RunAsync(file, cancellationToken).ConfigureAwait(false);
                file.Position = begin;
            }

            await run.LoadAsync(cancellationToken).ConfigureAwait(false);
            return await run.RunAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            throw await FailedAsync(run, MigrationStepException.From(e), isFile: true, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await DropStreamsAsync().ConfigureAwait(false);
        }
    }

    // Only where the connection is gone: a source that gives up, or a damaged frame, is heard and is not a loss.
    private bool MayRunWithoutSource(DestinationRun run, Exception e, CancellationToken cancellationToken)
        => _options.RunWhenSourceIsLost && run.IsLoaded && !cancellationToken.IsCancellationRequested
            && MigrationStepException.From(e).Error == Errno.EPIPE;

    private async Task<Exception> FailedAsync(
        DestinationRun run, MigrationStepException cause, bool isFile, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested && !run.IsRunning)
            return new OperationCanceledException("the migration was given up; the destination does not run", cancellationToken);
        var states = new List<DeviceLeftIn>();
        foreach (var device in _devices.Where(_ => _devices.Any(d => d.IsTouched)))
        {
            using var patience = new CancellationTokenSource(_options.RefusalTimeout, _options.TimeProvider);
            states.Add(new(device.Name, await device.TryGetStateAsync(patience.Token).ConfigureAwait(false)));
        }

        var outcome = _devices.Any(d => d.HasRun) ? MigrationOutcome.DestinationMayRun
            : isFile || run.IsLoaded ? MigrationOutcome.NobodyRuns
            : MigrationOutcome.SourceRuns;
        var left = states.Count == 0 ? string.Empty : $"; {string.Join(", ", states)}";
        var loaded = run.IsLoaded && outcome == MigrationOutcome.NobodyRuns ? "; all is loaded, and nothing runs" : string.Empty;
        return new MigrationFailedException(cause.Error, cause.Message + loaded + left, outcome, states, cause);
    }

    // The source is told why, and what it has sent meanwhile is taken off the wire: an end that leaves something unread may lose the
    // reason.
    private async Task RefuseAsync(
        DestinationRun run, Stream connection, MigrationStepException cause, CancellationToken cancellationToken)
    {
        var reason = cancellationToken.IsCancellationRequested && !run.IsRunning ? "it was given up" : cause.Message;
        var refusal = new Refusal(cause.Error, _devices.Any(d => d.HasRun), reason);
        using var patience = new CancellationTokenSource(_options.RefusalTimeout, _options.TimeProvider);
        try
        {
            await run.ReplyAsync(FrameKind.Refused, patience.Token, refusal.Write()).ConfigureAwait(false);
            var rest = new byte[64 << 10];
            while (await connection.ReadAsync(rest, patience.Token).ConfigureAwait(false) > 0)
            {
            }
        }
        catch (Exception e) when (e is IOException or MigrationStepException or OperationCanceledException or ObjectDisposedException)
        {
            // The source has gone, or does not listen: its own failure tells it the same.
        }
    }

    private async Task DropStreamsAsync()
    {
        foreach (var device in _devices)
        {
            try
            {
                await device.DropStreamAsync().ConfigureAwait(false);
            }
            catch (Exception)
            {
                // Its session is over; nothing is written to it any more.
            }
        }
    }
}
