namespace Vfio.Core.Tests.Orchestration;

/// <summary>A clock that only moves when it is told to, or when somebody pauses: a pause is over at once, a time limit never is.</summary>
internal sealed class AutoClock : TimeProvider
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(100);
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public int Pauses { get; private set; }

    public void Advance(TimeSpan by) => Interlocked.Add(ref _now, by.Ticks);

    public override long GetTimestamp() => Interlocked.Read(ref _now);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime >= TimeSpan.Zero && dueTime <= LongestPause)
        {
            Pauses++;
            Advance(dueTime);
            ThreadPool.QueueUserWorkItem(_ => callback(state));
        }

        return new Timer();
    }

    private sealed class Timer : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
