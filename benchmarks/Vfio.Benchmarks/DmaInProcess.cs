using BenchmarkDotNet.Attributes;

namespace Vfio.Benchmarks;

/// <summary>
/// Lookups of a DMA space and changes to it, by how many maps there are. The maps are pages of one buffer: no call to the kernel is in it.
/// </summary>
public unsafe class DmaInProcess
{
    private const int PageSize = 4096, Lookups = 1024;
    private const ulong First = 1ul << 32, Step = 2 * PageSize;
    private readonly byte[] _page = GC.AllocateArray<byte>(PageSize, pinned: true);
    private readonly byte[] _bytes = new byte[8];
    private readonly ulong[] _addresses = new ulong[Lookups];
    private DmaSpace _space = null!;
    private int _next;

    /// <summary>How many maps there are.</summary>
    [Params(1, 100, 10_000, 65_535)]
    public int Maps { get; set; }

    /// <summary>Fills the space; every other page stays free.</summary>
    [GlobalSetup]
    public void Fill()
    {
        _space = new DmaSpace();
        for (var i = 0; i < Maps; i++)
            Add(First + ((ulong)i * Step));
        var random = new Random(1);
        for (var i = 0; i < Lookups; i++)
            _addresses[i] = First + ((ulong)random.Next(Maps) * Step);
    }

    /// <summary>The map of an address: what every transfer begins with.</summary>
    [Benchmark]
    public DmaMap? Find() => _space.Find(Next());

    /// <summary>Takes hold of a page and lets it go.</summary>
    [Benchmark]
    public bool Acquire()
    {
        var acquired = _space.TryAcquire(Next(), PageSize, DmaAccess.Write, out var segment);
        segment.Dispose();
        return acquired;
    }

    /// <summary>Copies 8 bytes out of a page.</summary>
    [Benchmark]
    public VfioResult Read8() => _space.Read(Next(), _bytes);

    /// <summary>Maps a page between others, and unmaps it.</summary>
    [Benchmark]
    public ulong MapAndUnmap()
    {
        var iova = Next() + PageSize;
        Add(iova);
        return _space.Unmap(iova, iova + (PageSize - 1)).Value;
    }

    private ulong Next() => _addresses[_next++ & (Lookups - 1)];

    private void Add(ulong iova)
    {
        fixed (byte* page = _page)
        {
            var mapped = _space.Map(new DmaMap(iova, PageSize, DmaAccess.Read | DmaAccess.Write, page));
            if (!mapped.IsSuccess)
                throw new VfioException(mapped.Error, "a map was refused");
        }
    }
}
