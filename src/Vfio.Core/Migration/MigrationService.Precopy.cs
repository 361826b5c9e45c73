using Vfio.Core.Migration;

namespace Vfio.Core;

// What the user's end of a saving stream asks of the device in PRE_COPY: with the state held, which is what decides the answer.
public sealed partial class MigrationService
{
    /// <summary>What there is to read; EINVAL comes before ENODEV, as in the kernel.</summary>
    internal async ValueTask<VfioResult<PrecopyInfo>> GetPrecopyInfoAsync(SavingSession session, CancellationToken cancellationToken)
    {
        if (session.IsOver)
            return _state.IsPrecopy() ? Errno.ENODEV : Errno.EINVAL;
        if (!await TryEnterAsync(session, cancellationToken).ConfigureAwait(false))
            return Errno.ENODEV;
        try
        {
            if (!_state.IsPrecopy())
                return Errno.EINVAL;
            if (session.IsOver)
                return Errno.ENODEV;
            var unwritten = _variant.PrecopyInfo;
            return unwritten.IsSuccess ? session.Count(unwritten.Value, _tellsNewInitial) : unwritten;
        }
        finally
        {
            _held.Exit();
        }
    }

    /// <summary>The reader has all: saves again if the device has more.</summary>
    /// <returns>ENOMSG: it has none. Success: look again.</returns>
    internal async ValueTask<VfioResult> SaveMoreAsync(SavingSession session, CancellationToken cancellationToken)
    {
        if (!await TryEnterAsync(session, cancellationToken).ConfigureAwait(false))
            return Errno.ENODEV;
        try
        {
            if (session.IsOver)
                return Errno.ENODEV;
            if (!_state.IsPrecopy())
                return VfioResult.Success;
            var unwritten = _variant.PrecopyInfo;
            if (!unwritten.IsSuccess)
                return unwritten;
            if (unwritten.Value is { InitialBytes: 0, DirtyBytes: 0 })
                return Errno.ENOMSG;
            var isInitial = unwritten.Value.InitialBytes > 0 && (_tellsNewInitial || !unwritten.Value.HasNewInitial);
            session.Save(MigrationState.PreCopy, isInitial);
            return VfioResult.Success;
        }
        finally
        {
            _held.Exit();
        }
    }

    // A reset wakes who waits behind a step.
    private async ValueTask<bool> TryEnterAsync(SavingSession session, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, session.Ended);
        try
        {
            await _held.EnterAsync(either.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
