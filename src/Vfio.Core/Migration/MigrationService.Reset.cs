using Vfio.Core.Migration;

namespace Vfio.Core;

// Resets: seen at once, applied with the state held, by whoever holds it.
public sealed partial class MigrationService
{
    // A reset has been seen that is not applied yet: what is under way ends.
    internal bool IsResetComing
    {
        get
        {
            lock (_lock)
                return _resets != _appliedResets;
        }
    }

    /// <summary>
    /// Ends the data stream and breaks off a change of state: the device is about to be closed, and there is nobody left who would move it.
    /// Waits for nothing. The state is left to the reset that comes with the close; until then nothing else begins.
    /// </summary>
    public void EndStream()
    {
        DataSession? session;
        lock (_lock)
        {
            session = _session;
            _closing = true;
            _request?.Interrupt(isClose: true);
        }

        session?.End();
    }

    private void OnReset(ResetCause cause)
    {
        var isClose = cause is ResetCause.Close or ResetCause.ClientLost;
        DataSession? session;
        lock (_lock)
        {
            _resets++;
            session = _session;
            if (isClose)
                _closing = false;
            if (isClose || cause == ResetCause.Open)
                _tellsNewInitial = false;
            _request?.Interrupt(isClose);
        }

        session?.End();
        _held.OnResetDone();
    }

    private void ApplyReset()
    {
        lock (_lock)
            _appliedResets = _resets;
        Retire();
        _state = MigrationState.Running;
        _variant.OnReset();
    }

    // The session is over, and the device has none. Called with the state held.
    private void Retire()
    {
        DataSession? session;
        lock (_lock)
        {
            session = _session;
            _session = null;
        }

        if (session is null)
            return;
        session.End();
        _earlier = session.Completion;
    }
}
