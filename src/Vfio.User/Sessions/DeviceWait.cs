using Microsoft.Win32.SafeHandles;
using Vfio.User.Transport;

namespace Vfio.User.Sessions;

/// <summary>
/// Waits for what a device does asynchronously, on the serving thread, and gives up when the client is gone, the server is stopped, or the
/// time is over. What is given up has ended when the wait has: nothing of the client's is in use any more.
/// </summary>
internal sealed class DeviceWait : IDisposable
{
    private readonly SafeFileHandle _socket;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stopping;
    private readonly WakeEvent _wake = new();
    private readonly Action _complete;
    private CancellationTokenSource _cancellation;
    private volatile bool _isComplete;

    /// <summary>Creates it.</summary>
    /// <param name="socket">The client's socket, which tells when it is gone.</param>
    /// <param name="time">The clock.</param>
    /// <param name="stopping">Set when the server is stopped.</param>
    public DeviceWait(SafeFileHandle socket, TimeProvider time, CancellationToken stopping)
    {
        _socket = socket;
        _time = time;
        _stopping = stopping;
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(stopping);

        // In this order: whoever sees the end may wait anew, or dispose the event.
        _complete = () =>
        {
            _wake.Set();
            _isComplete = true;
        };
    }

    /// <summary>What gives up: to be handed to the device with each call that is waited for here.</summary>
    public CancellationToken Token => _cancellation.Token;

    /// <summary>Waits.</summary>
    /// <param name="task">What for.</param>
    /// <returns>What it yields; ECANCELED if it was given up.</returns>
    public VfioResult<T> For<T>(ValueTask<VfioResult<T>> task) => For(task, 0, Timeout.InfiniteTimeSpan);

    /// <summary>Waits.</summary>
    /// <param name="task">What for.</param>
    /// <returns>What it yields; ECANCELED if it was given up.</returns>
    public VfioResult For(ValueTask<VfioResult> task)
    {
        if (task.IsCompletedSuccessfully)
            return task.Result;
        var awaiter = task.GetAwaiter();
        if (!awaiter.IsCompleted)
        {
            Begin();
            awaiter.UnsafeOnCompleted(_complete);
            WaitComplete(0, Timeout.InfiniteTimeSpan);
        }

        try
        {
            return awaiter.GetResult();
        }
        catch (OperationCanceledException) when (_cancellation.IsCancellationRequested)
        {
            return Errno.ECANCELED;
        }
    }

    /// <summary>Waits for so long.</summary>
    /// <param name="task">What for.</param>
    /// <param name="since">When the time began, as the clock counts.</param>
    /// <param name="limit">How long from then on; infinite is allowed.</param>
    /// <returns>What it yields; ECANCELED if it was given up, ETIMEDOUT if the time was over.</returns>
    public VfioResult<T> For<T>(ValueTask<VfioResult<T>> task, long since, TimeSpan limit)
    {
        if (task.IsCompletedSuccessfully)
            return task.Result;
        var isTimedOut = false;
        var awaiter = task.GetAwaiter();
        if (!awaiter.IsCompleted)
        {
            Begin();
            awaiter.UnsafeOnCompleted(_complete);
            isTimedOut = WaitComplete(since, limit);
        }

        try
        {
            return awaiter.GetResult();
        }
        catch (OperationCanceledException) when (_cancellation.IsCancellationRequested)
        {
            return isTimedOut ? Errno.ETIMEDOUT : Errno.ECANCELED;
        }
        finally
        {
            // The client is still there: what it asks for next is waited for again.
            if (isTimedOut)
            {
                _cancellation.Dispose();
                _cancellation = CancellationTokenSource.CreateLinkedTokenSource(_stopping);
            }
        }
    }

    public void Dispose()
    {
        _cancellation.Dispose();
        _wake.Dispose();
    }

    private void Begin()
    {
        _isComplete = false;
        _wake.Clear();
    }

    // True: it was the time that ended it.
    private bool WaitComplete(long since, TimeSpan limit)
    {
        while (!_isComplete && !_cancellation.IsCancellationRequested)
        {
            var milliseconds = Poll.Infinite;
            if (limit != Timeout.InfiniteTimeSpan)
            {
                var left = limit - _time.GetElapsedTime(since);
                if (left <= TimeSpan.Zero)
                {
                    GiveUp();
                    return true;
                }

                milliseconds = (int)Math.Min(Math.Ceiling(left.TotalMilliseconds), int.MaxValue);
            }

            // No event is asked for: that both directions are closed is always told. What the client sends meanwhile waits for its turn.
            if (Poll.Wait(_socket, 0, _wake, milliseconds))
                GiveUp();
        }

        WaitEnd();
        return false;
    }

    // What a device's code does when it is cancelled runs elsewhere, and may fail there; what it works on is the client's until it has
    // ended.
    private void GiveUp()
    {
        _ = _cancellation.CancelAsync();
        WaitEnd();
    }

    private void WaitEnd()
    {
        while (!_isComplete)
            Poll.Wait(_wake.Handle, Native.Libc.POLLIN);
    }
}
