using System.Runtime.InteropServices;
using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Tests.Guest;

/// <summary>Guest memory from which a driver takes pages; what the device sees of it may be direct or by message.</summary>
internal sealed class GuestMemory
{
    public const ulong Start = 0x1_0000_0000;
    public const int PageSize = 4096;
    private const int Size = 32 << 20;
    private readonly LocalMemory _memory = LocalMemory.Allocate(Start, Size);
    private int _used;

    public GuestMemory(bool direct = true)
    {
        Map = direct ? _memory : Messages = new MessageMap(_memory);
        Assert.True(Space.Map(Map).IsSuccess);
    }

    public TripwireSpace Space { get; } = new();

    public DmaMap Map { get; }

    /// <summary>The map whose transfers go by message; null if memory is direct.</summary>
    public MessageMap? Messages { get; }

    public ulong Allocate(int bytes)
    {
        var at = _used;
        _used += (bytes + PageSize - 1) / PageSize * PageSize;
        Assert.True(_used <= Size, "the guest has run out of memory");
        return Start + (ulong)at;
    }

    public Span<byte> Span(ulong iova, int length) => _memory.Span.Slice((int)(iova - Start), length);

    public ref T At<T>(ulong iova)
        where T : unmanaged
        => ref MemoryMarshal.AsRef<T>(Span(iova, Marshal.SizeOf<T>()));

    /// <summary>Writes the PRPs of a transfer into a command, with the list pages that it takes.</summary>
    internal void Describe(ref SubmissionEntry entry, ulong iova, int length, int? listOffset = null)
    {
        entry.Prp1 = iova;
        var left = length - (PageSize - (int)(iova % PageSize));
        var next = (iova & ~(ulong)(PageSize - 1)) + PageSize;
        if (left <= 0)
            return;
        if (left <= PageSize)
        {
            entry.Prp2 = next;
            return;
        }

        var pages = Enumerable.Range(0, (left + PageSize - 1) / PageSize).Select(i => next + ((ulong)i * PageSize)).ToList();
        entry.Prp2 = WriteList(pages, listOffset ?? 0);
    }

    /// <summary>A PRP list that begins inside a page and goes on in others.</summary>
    public ulong WriteList(IReadOnlyList<ulong> pages, int offset)
    {
        var list = Allocate(PageSize) + (ulong)offset;
        var entries = MemoryMarshal.Cast<byte, ulong>(Span(list, PageSize - offset));
        if (pages.Count <= entries.Length)
        {
            pages.ToArray().CopyTo(entries);
            return list;
        }

        var here = entries.Length - 1;
        pages.Take(here).ToArray().CopyTo(entries);
        entries[here] = WriteList([.. pages.Skip(here)], 0);
        return list;
    }
}

/// <summary>A DMA space that counts what the device does with it.</summary>
internal sealed class TripwireSpace : DmaSpace, IDmaSpace
{
    private int _accesses;

    public int Accesses => Volatile.Read(ref _accesses);

    /// <summary>What a blocked message transfer waits for.</summary>
    public Action? Cancelled { get; set; }

    bool IDmaSpace.TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
    {
        Interlocked.Increment(ref _accesses);
        return TryAcquire(iova, length, access, out segment);
    }

    VfioResult IDmaSpace.Read(ulong iova, Span<byte> destination)
    {
        Interlocked.Increment(ref _accesses);
        return Read(iova, destination);
    }

    VfioResult IDmaSpace.Write(ulong iova, ReadOnlySpan<byte> source)
    {
        Interlocked.Increment(ref _accesses);
        return Write(iova, source);
    }

    public override void CancelTransfers() => Cancelled?.Invoke();
}

/// <summary>
/// Memory that the device reaches by calls alone, as a client without a descriptor for it has it. Calls can be made to wait.
/// </summary>
internal sealed unsafe class MessageMap(LocalMemory memory) : DmaMap(memory.Iova, memory.Size, memory.Access, null)
{
    private readonly object _sync = new();
    private bool _blocked;
    private int _waiting;

    /// <summary>Transfers that touch this address wait while the map is blocked; 0 for any.</summary>
    public ulong BlockedAt { get; set; }

    public void Block()
    {
        lock (_sync)
            _blocked = true;
    }

    /// <summary>Lets the transfers go that wait now; they fail.</summary>
    public void Cancel()
    {
        lock (_sync)
        {
            if (_waiting == 0)
                return;
            _blocked = false;
            Monitor.PulseAll(_sync);
        }
    }

    public void WaitForBlockedTransfer()
    {
        lock (_sync)
        {
            while (_waiting == 0)
                Assert.True(Monitor.Wait(_sync, GuestNvme.Deadline), "no transfer came to be blocked");
        }
    }

    protected override VfioResult Read(ulong iova, Span<byte> destination)
    {
        if (!Pass(iova))
            return Errno.ECANCELED;
        memory.Span.Slice((int)(iova - Iova), destination.Length).CopyTo(destination);
        return VfioResult.Success;
    }

    protected override VfioResult Write(ulong iova, ReadOnlySpan<byte> source)
    {
        if (!Pass(iova))
            return Errno.ECANCELED;
        source.CopyTo(memory.Span[(int)(iova - Iova)..]);
        return VfioResult.Success;
    }

    private bool Pass(ulong iova)
    {
        lock (_sync)
        {
            if (!_blocked || (BlockedAt != 0 && iova != BlockedAt))
                return true;
            _waiting++;
            Monitor.PulseAll(_sync);
            while (_blocked)
                Monitor.Wait(_sync);
            _waiting--;
            return false;
        }
    }
}
