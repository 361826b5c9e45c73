namespace Vfio.Core.Orchestration;

/// <summary>How much went over, and how fast: of the time that was spent on it, pauses left out.</summary>
internal sealed class TransferMeter(TimeProvider clock)
{
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(100);
    private readonly long _begun = clock.GetTimestamp();
    private TimeSpan _busy;
    private ulong _windowBytes;
    private double _rate;

    public ulong Bytes { get; private set; }

    public TimeSpan Elapsed => clock.GetElapsedTime(_begun);

    /// <summary>Bytes a second: of the last whole window, or of all while there is none; 0: not known.</summary>
    public double Rate => _rate > 0 ? _rate : Of(_windowBytes, _busy);

    public long Now => clock.GetTimestamp();

    /// <summary>So much went over since then.</summary>
    /// <returns>Whether a window has ended: the time to tell of it.</returns>
    public bool Add(ulong bytes, long since)
    {
        Bytes += bytes;
        _windowBytes += bytes;
        _busy += clock.GetElapsedTime(since);
        if (_busy < Window)
            return false;
        _rate = Of(_windowBytes, _busy);
        (_windowBytes, _busy) = (0, TimeSpan.Zero);
        return true;
    }

    private static double Of(ulong bytes, TimeSpan time) => time > TimeSpan.Zero ? bytes / time.TotalSeconds : 0;
}
