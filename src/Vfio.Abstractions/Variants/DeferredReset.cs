using System.Runtime.ExceptionServices;

namespace Vfio;

/// <summary>
/// A variant's state lock with the kernel's deferred reset: a reset never waits for whoever holds the lock (a migration transfer, say), and
/// is never lost, because every release of the lock looks for it. Thread-safe.
/// </summary>
/// <remarks>
/// Source: the recipe that the kernel's migrating variant drivers share (their <c>state_mutex_unlock</c> and <c>reset_done</c>).
/// </remarks>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "A SemaphoreSlim whose wait handle is never asked for holds nothing that needs disposing.")]
public sealed class DeferredReset
{
    private readonly Lock _resetLock = new();
    private readonly SemaphoreSlim _state = new(1, 1);
    private readonly Action _applyReset;
    private bool _pending;

    /// <summary>Creates the lock.</summary>
    /// <param name="applyReset">
    /// Brings the state back to RUNNING and ends its streams; called with the state held, and must not block.
    /// </param>
    public DeferredReset(Action applyReset) => _applyReset = applyReset;

    /// <summary>Takes the state.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    public Task EnterAsync(CancellationToken cancellationToken) => _state.WaitAsync(cancellationToken);

    /// <summary>
    /// Releases the state, carrying out a reset that came in the meantime. What that throws is thrown on, with the state released.
    /// </summary>
    public void Exit()
    {
        ExceptionDispatchInfo? fault = null;
        while (true)
        {
            lock (_resetLock)
            {
                if (!_pending)
                {
                    // Released inside the lock: a reset that comes now finds the state free and applies itself.
                    _state.Release();
                    break;
                }

                _pending = false;
            }

            try
            {
                _applyReset();
            }
            catch (Exception e)
            {
                // A state that nobody could take any more would keep the device from being closed.
                fault = ExceptionDispatchInfo.Capture(e);
            }
        }

        fault?.Throw();
    }

    /// <summary>The device was reset: applies it now if the state is free, and otherwise leaves it to whoever holds the state.</summary>
    public void OnResetDone()
    {
        lock (_resetLock)
        {
            _pending = true;
            if (!_state.Wait(0))
                return;
        }

        Exit();
    }
}
