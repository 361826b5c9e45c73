using Vfio.Core.Orchestration;
using Vfio.Core.Orchestration.Container;
using Vfio.Core.Orchestration.Source;

namespace Vfio.Core;

/// <summary>
/// Moves devices away: the source's side. It goes with a <see cref="MigrationDestination"/>, or writes a file. Used once.
/// </summary>
/// <remarks>
/// The source is in RUNNING whenever it could not finish, and in STOP before the destination is told to run: there are never two running
/// copies. A device is never reset. Source of the order: the kernel's vfio uAPI (RUNNING, PRE_COPY, PRE_COPY_P2P, STOP_COPY).
/// </remarks>
public sealed class MigrationSource
{
    private static readonly TimeSpan Courtesy = TimeSpan.FromSeconds(1);
    private readonly IReadOnlyList<SourceDevice> _devices;
    private readonly MigrationSourceOptions _options;
    private int _used;

    /// <summary>Creates a source.</summary>
    /// <param name="devices">The devices, all in RUNNING; several move as a set.</param>
    /// <param name="options">How; null for what the options begin with.</param>
    /// <exception cref="VfioException">EINVAL: no device, too many, two of one name, or options out of range.</exception>
    public MigrationSource(IReadOnlyList<MigratingDevice> devices, MigrationSourceOptions? options = null)
    {
        _options = options ?? new();
        MovedDevices.Check(devices);
        if (_options.MaxRounds < 1 || _options.DowntimeTarget < TimeSpan.Zero)
            throw new VfioException(Errno.EINVAL, "there is at least one round of PRE_COPY, and no downtime below 0");
        _devices = [.. devices.Select((device, index) => new SourceDevice(device, (uint)index))];
    }

    /// <summary>Moves the devices over a connection to a destination.</summary>
    /// <param name="connection">A two-way stream, which stays the caller's to close; good for nothing else afterwards.</param>
    /// <param name="cancellationToken">
    /// Gives up: the devices are RUNNING again when this throws. Not heeded any more once the destination has been told to run.
    /// </param>
    /// <exception cref="MigrationFailedException">It failed; <see cref="MigrationFailedException.Outcome"/> says who may run.</exception>
    /// <exception cref="OperationCanceledException">It was given up; the devices are RUNNING.</exception>
    public async Task<MigrationSummary> SendAsync(Stream connection, CancellationToken cancellationToken)
    {
        MovedDevices.UseOnce(ref _used);
        var writer = new FrameWriter(connection);
        var replies = new DestinationReplies(connection);
        await using (replies.ConfigureAwait(false))
        {
            var run = new SourceRun(_devices, writer, _options, replies);
            using var given = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, replies.Lost);
            try
            {
                await run.MoveAsync(given.Token).ConfigureAwait(false);
                given.Token.ThrowIfCancellationRequested();
            }
            catch (Exception e)
            {
                var cause = cancellationToken.IsCancellationRequested
                    ? null
                    : MigrationStepException.From(await replies.FailureBehindAsync(e).ConfigureAwait(false));
                var failure = await RecoverAsync(run, cause, cancellationToken).ConfigureAwait(false);
                await GiveUpAsync(writer).ConfigureAwait(false);
                throw failure;
            }

            await HandOverAsync(run, replies).ConfigureAwait(false);
            return await CompleteAsync(run).ConfigureAwait(false);
        }
    }

    /// <summary>Saves the devices into a file, and leaves them in STOP.</summary>
    /// <param name="file">Where to write.</param>
    /// <param name="publish">
    /// Called when all is written and the devices are in STOP: makes the file last and gives it its name. If it throws, the devices run
    /// again.
    /// </param>
    /// <param name="cancellationToken">Gives up: the devices are RUNNING again when this throws.</param>
    /// <exception cref="MigrationFailedException">It failed; <see cref="MigrationFailedException.Outcome"/> says who may run.</exception>
    /// <exception cref="OperationCanceledException">It was given up; the devices are RUNNING.</exception>
    public async Task<MigrationSummary> SaveAsync(
        Stream file, Func<CancellationToken, ValueTask>? publish, CancellationToken cancellationToken)
    {
        MovedDevices.UseOnce(ref _used);
        var run = new SourceRun(_devices, new(file), _options, null);
        try
        {
            await run.MoveAsync(cancellationToken).ConfigureAwait(false);
            await run.HandOverAsync(cancellationToken).ConfigureAwait(false);
            if (publish is not null)
                await publish(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            var cause = cancellationToken.IsCancellationRequested ? null : MigrationStepException.From(e);
            throw await RecoverAsync(run, cause, cancellationToken).ConfigureAwait(false);
        }

        return await CompleteAsync(run).ConfigureAwait(false);
    }

    private async Task<MigrationSummary> CompleteAsync(SourceRun run)
    {
        var summary = run.Complete();
        await DropStreamsAsync().ConfigureAwait(false);
        return summary;
    }

    private async Task HandOverAsync(SourceRun run, DestinationReplies replies)
    {
        using var patience = new CancellationTokenSource(_options.ConfirmationTimeout, _options.TimeProvider);
        try
        {
            await run.HandOverAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Only a destination that says that nothing of it has run, and that nothing will, gives the devices back.
            var cause = MigrationStepException.From(await replies.FailureBehindAsync(e).ConfigureAwait(false));
            if (replies.Refused is { HasRun: false })
                throw await RecoverAsync(run, cause, CancellationToken.None).ConfigureAwait(false);
            await DropStreamsAsync().ConfigureAwait(false);
            throw new MigrationFailedException(
                cause.Error,
                $"{cause.Message}; the destination was told to run and may do so, and the source stays in {MigrationState.Stop}",
                MigrationOutcome.DestinationMayRun,
                await SourceRecovery.StatesAsync(_devices, _options.RecoveryTimeout, _options.TimeProvider).ConfigureAwait(false),
                e);
        }
    }

    private async Task<Exception> RecoverAsync(SourceRun run, MigrationStepException? cause, CancellationToken cancellationToken)
    {
        run.Enter(MigrationStage.Recovering);
        var (limit, clock) = (_options.RecoveryTimeout, _options.TimeProvider);
        var failure = await SourceRecovery.RunAsync(_devices, limit, clock).ConfigureAwait(false);
        await DropStreamsAsync().ConfigureAwait(false);
        if (failure is null && cause is null)
            return new OperationCanceledException("the migration was given up; the source runs on", cancellationToken);
        var states = _devices.Any(d => d.IsTouched)
            ? await SourceRecovery.StatesAsync(_devices, limit, clock).ConfigureAwait(false)
            : [];
        var what = cause?.Message ?? "the migration was given up";
        return failure is null
            ? new MigrationFailedException(cause!.Error, what, MigrationOutcome.SourceRuns, states, cause)
            : new MigrationFailedException(
                failure.Error,
                $"{what}; and the source does not run again: {failure.Message}; {string.Join(", ", states)}",
                MigrationOutcome.NobodyRuns,
                states,
                failure);
    }

    // A courtesy, where it can still be understood, so that the destination does not wait for the end of the connection.
    private async Task GiveUpAsync(FrameWriter writer)
    {
        if (writer.IsBroken)
            return;
        using var patience = new CancellationTokenSource(Courtesy, _options.TimeProvider);
        try
        {
            await writer.WriteAsync(FrameKind.GivenUp, 0, [], patience.Token).ConfigureAwait(false);
            await writer.FlushAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The end of the connection says the same.
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
                // Its session is over; nothing is read from it any more.
            }
        }
    }
}
