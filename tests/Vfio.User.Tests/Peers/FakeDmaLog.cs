namespace Vfio.User.Tests.Peers;

/// <summary>A log of a <see cref="TestDevice"/>, of pages of 4 KiB, that is told what was written.</summary>
internal sealed class FakeDmaLog : IDmaLogging
{
    private readonly HashSet<ulong> _pages = [];

    public IovaRange[]? Ranges { get; private set; }

    public Func<Errno>? OnReport { get; set; }

    public Action? OnStart { get; set; }

    /// <summary>What each report was of.</summary>
    public List<(ulong Iova, ulong Length, ulong PageSize)> Reports { get; } = [];

    public void Write(ulong iova) => _pages.Add(iova / 4096);

    public VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize)
    {
        if (Ranges is not null || ranges.IsEmpty)
            return Errno.EINVAL;
        OnStart?.Invoke();
        Ranges = ranges.ToArray();
        pageSize = 4096;
        return VfioResult.Success;
    }

    public VfioResult Stop()
    {
        Ranges = null;
        return VfioResult.Success;
    }

    public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
    {
        Reports.Add((iova, length, pageSize));
        if (Ranges is null)
            return Errno.EINVAL;
        if (OnReport is { } hook && hook() is not Errno.None and var error)
            return error;
        foreach (var page in _pages.Where(page => page * 4096 >= iova && (page * 4096) - iova < length).ToList())
        {
            var bit = ((page * 4096) - iova) / pageSize;
            bitmap[(int)(bit / 64)] |= 1ul << (int)(bit % 64);
            _pages.Remove(page);
        }

        return VfioResult.Success;
    }
}
