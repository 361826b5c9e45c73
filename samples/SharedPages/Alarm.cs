namespace SharedPages;

/// <summary>
/// A time that is waited for, with a timer: what is to be done then is done once, and never while the alarm is stopped. Thread-safe.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="goOff">What is done, on a thread of the pool; gets a token that a stop without patience cancels.</param>
internal sealed class Alarm(TimeProvider time, Action<CancellationToken> goOff) : IDisposable
{
    // A timer takes some 49 days at most, and the clock may be set meanwhile: it is looked at again at least so often.
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);
    private readonly Lock _changing = new();
    private CancellationTokenSource _given = new();
    private ITimer? _timer;
    private Task _going = Task.CompletedTask;
    private long _seconds;
    private bool _running;

    /// <summary>When it goes off, in seconds since 1970; 0: it is not set. It goes off at once if that has passed.</summary>
    public long Seconds
    {
        get
        {
            lock (_changing)
                return _seconds;
        }

        set
        {
            lock (_changing)
            {
                _seconds = value;
                Wait();
            }
        }
    }

    /// <summary>The alarm may go off, from now on.</summary>
    public void Start()
    {
        lock (_changing)
        {
            _running = true;
            Wait();
        }
    }

    /// <summary>The alarm does not go off any more; returns when what it was doing is done.</summary>
    /// <param name="cancellationToken">Gives up waiting; the alarm runs on then.</param>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Task going;
        lock (_changing)
        {
            _running = false;
            Wait();
            going = _going;
        }

        try
        {
            await going.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Start();
            throw;
        }
    }

    /// <summary>Cancels what it is doing, and forgets the time: stopped, and not set.</summary>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async Task CancelAsync(CancellationToken cancellationToken)
    {
        Task going;
        CancellationTokenSource given;
        lock (_changing)
        {
            _running = false;
            _seconds = 0;
            Wait();
            going = _going;
            (given, _given) = (_given, new());
        }

        await given.CancelAsync().ConfigureAwait(false);
        given.Dispose();
        await going.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose()
    {
        lock (_changing)
        {
            _running = false;
            _timer?.Dispose();
            _given.Dispose();
        }
    }

    private void Wait()
    {
        if (!_running || _seconds == 0)
        {
            _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            return;
        }

        _timer ??= time.CreateTimer(static alarm => ((Alarm)alarm!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(Left(), Timeout.InfiniteTimeSpan);
    }

    private TimeSpan Left()
    {
        var left = _seconds - (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;
        return left <= 0 ? TimeSpan.Zero : left >= LongestWait.TotalSeconds ? LongestWait : TimeSpan.FromSeconds(left);
    }

    private void Look()
    {
        lock (_changing)
        {
            if (!_running || _seconds == 0)
                return;
            if (Left() is var left && left > TimeSpan.Zero)
            {
                _timer!.Change(left, Timeout.InfiniteTimeSpan);
                return;
            }

            _seconds = 0;
            var token = _given.Token;
            // One after the other: a time may be written while the last one is still served.
            _going = _going.ContinueWith(_ => goOff(token), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }
}
