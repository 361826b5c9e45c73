using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;

namespace Vfio.Benchmarks;

/// <summary>
/// A report of all that was written in 1 TiB of 4 KiB pages, which is 32 MiB of bits, beside a copy of as many bytes: the ratio is what
/// counts. The log is written anew before each, so that each iteration is one report.
/// </summary>
public unsafe class DirtyHarvest
{
    private const int PageShift = 12;
    private const ulong Length = 1ul << 40;
    private const int Words = (int)(Length >> PageShift >> 6);
    private const nuint Bytes = Words * sizeof(ulong);
    private readonly DmaSpace _space = new();
    private ulong* _source;
    private ulong* _bitmap;

    /// <summary>How much of it was written: nothing, a page in a hundred anywhere, or all.</summary>
    [Params("none", "1 % random", "all")]
    public string Written { get; set; } = "";

    /// <summary>Starts the log.</summary>
    [GlobalSetup]
    public void Start()
    {
        _source = (ulong*)NativeMemory.AlignedAlloc(Bytes, 4096);
        _bitmap = (ulong*)NativeMemory.AlignedAlloc(Bytes, 4096);
        new Span<ulong>(_source, Words).Fill(1);
        new Span<ulong>(_bitmap, Words).Clear();
        var pageSize = 1ul << PageShift;
        Check(_space.WriteLog.Start([new(0, Length)], ref pageSize));
        // Both buffers have been written before: memory that is new costs the report nothing that the guest's pages do not cost more.
        _space.MarkWritten(0, Length);
        HarvestBits();
        _space.MarkWritten(0, Length);
        HarvestBits();
    }

    /// <summary>Stops it.</summary>
    [GlobalCleanup]
    public void Stop()
    {
        Check(_space.WriteLog.Stop());
        NativeMemory.AlignedFree(_source);
        NativeMemory.AlignedFree(_bitmap);
    }

    /// <summary>Writes.</summary>
    [IterationSetup]
    public void Write()
    {
        if (Written == "all")
            _space.MarkWritten(0, Length);
        if (Written != "1 % random")
            return;
        const int Pages = (int)(Length >> PageShift) / 100;
        var random = new Random(1);
        for (var i = 0; i < Pages; i++)
            _space.MarkWritten((ulong)random.NextInt64((long)Length), 1);
    }

    /// <summary>The copy.</summary>
    [Benchmark(Baseline = true)]
    public void CopyBits() => NativeMemory.Copy(_source, _bitmap, Bytes);

    /// <summary>The report.</summary>
    [Benchmark]
    public void HarvestBits() => Check(_space.WriteLog.Report(0, Length, 1ul << PageShift, new(_bitmap, Words)));

    private static void Check(VfioResult result)
    {
        if (!result.IsSuccess)
            throw new VfioException(result.Error, "the log failed");
    }
}
