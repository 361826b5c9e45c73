using System.Globalization;

namespace Vfio.Plugin.Nvme;

/// <summary>How often a function was reset, by cause. Thread-safe.</summary>
internal sealed class ResetLog
{
    private readonly int[] _counts = new int[(int)Enum.GetValues<ResetCause>().Max() + 1];
    private volatile string? _last;

    public void Add(ResetCause cause)
    {
        // A cause of a later contract is counted with none, and named all the same.
        if ((uint)cause < (uint)_counts.Length)
            Interlocked.Increment(ref _counts[(int)cause]);
        _last = cause.ToString();
    }

    public override string ToString()
    {
        var text = string.Join(
            ", ",
            _counts.Select((count, cause) => (count, cause: (ResetCause)cause)).Where(c => c.count > 0)
                .Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.cause} {c.count}")));
        return _last is { } last ? $"{text}; last {last}" : "none";
    }
}
