using BenchmarkDotNet.Attributes;

namespace Vfio.Benchmarks;

/// <summary>What a log costs those who write: 8 bytes into one of 1024 pages, and taking hold of one.</summary>
public class DirtyMarking
{
    private const int PageSize = 4096, Pages = 1024;
    private readonly byte[] _bytes = new byte[8];
    private readonly ulong[] _bits = new ulong[Pages / 64];
    private readonly ulong[] _addresses = new ulong[Pages];
    private DmaSpace _space = null!;
    private int _next;

    /// <summary>Whether a log runs.</summary>
    [Params(false, true)]
    public bool IsLogged { get; set; }

    /// <summary>Maps the pages, and starts the log.</summary>
    [GlobalSetup]
    public void Start()
    {
        _space = new();
        var random = new Random(1);
        for (var i = 0; i < Pages; i++)
            _addresses[i] = (ulong)random.Next(Pages) * PageSize;
        var mapped = _space.Map(LocalMemory.Allocate(0, Pages * PageSize));
        ulong pageSize = PageSize;
        var started = IsLogged ? _space.WriteLog.Start([new(0, 1ul << 40)], ref pageSize) : VfioResult.Success;
        if (!mapped.IsSuccess || !started.IsSuccess)
            throw new VfioException(started.Error, "the log did not start");
    }

    /// <summary>Stops it.</summary>
    [GlobalCleanup]
    public void Stop()
    {
        _space.WriteLog.Stop();
        _space.UnmapAll();
    }

    /// <summary>A copy into a page that is in the log already, as most are.</summary>
    [Benchmark]
    public VfioResult Write8() => _space.Write(Next(), _bytes);

    /// <summary>A segment of a page that is in the log already.</summary>
    [Benchmark]
    public bool Acquire()
    {
        var acquired = _space.TryAcquire(Next(), PageSize, DmaAccess.Write, out var segment);
        segment.Dispose();
        return acquired;
    }

    /// <summary>Copies into 1024 pages that are not in the log, and a report of them.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public void WriteAnew()
    {
        for (var i = 0ul; i < Pages; i++)
            _space.Write(i * PageSize, _bytes);
        if (IsLogged)
            _space.WriteLog.Report(0, Pages * PageSize, PageSize, _bits);
    }

    private ulong Next() => _addresses[_next++ & (Pages - 1)];
}
