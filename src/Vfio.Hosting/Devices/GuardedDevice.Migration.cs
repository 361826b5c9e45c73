using Vfio.Core;

namespace Vfio.Hosting.Devices;

// Migration: the service over what the driver implements, or the device's own where it stands for another that has the states already.
internal sealed partial class GuardedDevice
{
    private readonly MigrationService? _service;
    private GuardedMigrationOps? _relayed;
    private volatile bool _openTold;
    private volatile bool _closeTold;

    public override IMigrationOps? MigrationOps
    {
        get
        {
            if (_service is not null)
                return _service;

            // Asked each time: what is below a relay may be there only while it is open.
            if (Capability(static d => d.MigrationOps, nameof(MigrationOps)) is not { } ops)
                return null;
            if (_relayed is { } relayed && relayed.Inner == ops)
                return relayed;
            return _relayed = new(this, ops);
        }
    }

    // Called once, by the constructor.
    private MigrationService? ServeMigration()
    {
        _inner.WasReset += OnInnerReset;
        return _migration is { } migration && migration.Capabilities.HasFlag(MigrationCapabilities.StopCopy) ? new(this, _logger) : null;
    }

    private void OnInnerReset(ResetCause cause)
    {
        if (cause is ResetCause.Close or ResetCause.ClientLost)
            _closeTold = true;
        if (cause == ResetCause.Open)
            _openTold = true;
        RaiseWasReset(cause);
    }

    // A function that has no reset has not said so. What somebody began while the device was closed ends all the same.
    private void TellOpened()
    {
        if (_service is not null && !_openTold)
            RaiseWasReset(ResetCause.Open);
    }

    // A device that failed at its close, or whose function has no reset, has not said so: its sessions end all the same.
    private void TellClosed(ResetCause cause)
    {
        if (!_closeTold)
            RaiseWasReset(cause);
    }

    internal async ValueTask<VfioResult<T>> GuardAsync<T>(
        string member, Func<CancellationToken, ValueTask<VfioResult<T>>> work, CancellationToken cancellationToken)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            return await work(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e)
        {
            return Threw(member, e);
        }
    }
}
