using Vfio.Core.Migration;

namespace Vfio.Core;

// Changes of state: the way there, one arc at a time, with the state held.
public sealed partial class MigrationService
{
    /// <inheritdoc/>
    public async ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken)
    {
        using var request = new MigrationRequest(_variant, cancellationToken);
        await _held.EnterAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            lock (_lock)
            {
                _request = request;
                if (_closing)
                    request.Interrupt(isClose: true);
            }

            return await WalkAsync(state, request).ConfigureAwait(false);
        }
        finally
        {
            lock (_lock)
                _request = null;
            _held.Exit();
        }
    }

    private async ValueTask<VfioResult<MigrationDataStream?>> WalkAsync(MigrationState target, MigrationRequest request)
    {
        MigrationDataStream? begun = null;
        while (_state != target)
        {
            request.Caller.ThrowIfCancellationRequested();
            if (!MigrationPath.TryNext(Capabilities, _state, target, out var next))
                return Errno.EINVAL;
            if (IsResetComing)
                return Interrupted(target);
            if (request.Steps.IsCancellationRequested)
                return Errno.ECANCELED;
            var arc = new MigrationArc(_state, next);

            // The user gets one stream, and the state that it belongs to.
            if (arc.Begins() && next != target)
                return Errno.EINVAL;
            var result = await MakeAsync(arc, request).ConfigureAwait(false);
            if (!result.IsSuccess)
            {
                // What was waited for was broken off, by the caller or by a reset.
                request.Caller.ThrowIfCancellationRequested();
                return IsResetComing ? Interrupted(target) : result.Error;
            }

            if (arc.Begins())
                begun = _session?.Stream;
        }

        return begun;
    }

    private async ValueTask<VfioResult> MakeAsync(MigrationArc arc, MigrationRequest request)
    {
        if (arc.Begins())
        {
            var begun = await BeginAsync(arc, request).ConfigureAwait(false);
            if (!begun.IsSuccess)
                return begun;
        }
        else if (arc.Ends())
        {
            var ready = await PrepareEndAsync(arc, request).ConfigureAwait(false);
            if (!ready.IsSuccess)
                return ready;
        }

        var session = _session;
        var result = await _variant.StepAsync(arc, session, request.Steps).ConfigureAwait(false);
        if (!result.IsSuccess)
        {
            if (arc.Begins() || result.Error == Errno.ENOTRECOVERABLE)
                Retire();
            if (result.Error == Errno.ENOTRECOVERABLE)
                _state = MigrationState.Error;
            return result;
        }

        if (arc.Ends())
            Retire();
        if (session is null || arc.Ends())
        {
            _state = arc.To;
            return VfioResult.Success;
        }

        // In one: a reader must not find PRE_COPY's end in STOP_COPY.
        lock (session.Gate)
        {
            _state = arc.To;
            session.Reached(arc.To);
        }

        return VfioResult.Success;
    }

    private async ValueTask<VfioResult> BeginAsync(MigrationArc arc, MigrationRequest request)
    {
        // Saves and loads of the session before this one do not run beside those of this one, even if a reset has ended it.
        if (!await WaitAsync(_earlier, request.Waits).ConfigureAwait(false))
            return Errno.ECANCELED;
        DataSession session = arc.To == MigrationState.Resuming
            ? new ResumingSession(this, _variant, _resumingPipe)
            : new SavingSession(this, _variant, _savingPipe);
        lock (_lock)
        {
            if (_resets != _appliedResets || request.Steps.IsCancellationRequested)
                return Errno.ECANCELED;
            _session = session;
        }

        return VfioResult.Success;
    }

    // A save is cancelled and waited for. What was written to a resuming device is all there is, and has been found good.
    private async ValueTask<VfioResult> PrepareEndAsync(MigrationArc arc, MigrationRequest request)
    {
        if (_session is not { } session)
            return VfioResult.Success;
        if (session is ResumingSession resuming)
        {
            var verdict = resuming.Finish();
            if (!await WaitAsync(verdict, request.Waits).ConfigureAwait(false))
                return Errno.ECANCELED;
            if (resuming.Refused != Errno.None)
                return resuming.Refused;
        }
        else
        {
            session.End();
            if (!await WaitAsync(session.Completion, request.Waits).ConfigureAwait(false))
                return Errno.ECANCELED;
        }

        return IsResetComing ? Errno.ECANCELED : VfioResult.Success;
    }

    private static async ValueTask<bool> WaitAsync(Task task, CancellationToken cancellationToken)
    {
        await ((Task)task.WaitAsync(cancellationToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return task.IsCompleted;
    }

    private static VfioResult<MigrationDataStream?> Interrupted(MigrationState target)
        => target == MigrationState.Running ? new VfioResult<MigrationDataStream?>((MigrationDataStream?)null) : Errno.ECANCELED;
}
