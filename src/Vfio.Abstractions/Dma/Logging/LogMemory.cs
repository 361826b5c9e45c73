using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio;

/// <summary>
/// Zeroed words outside the heap, of which only those cost memory that were ever written. Unmapped by the collector: whoever still marks
/// in a log that has been stopped keeps it.
/// </summary>
internal sealed unsafe class LogMemory
{
    private LogMemory(ulong* address, int words)
    {
        Address = address;
        Words = words;
        // Logs that come and go without a collection would leave address space behind.
        GC.AddMemoryPressure((long)Bytes);
    }

    ~LogMemory()
    {
        _ = Libc.munmap(Address, Bytes);
        GC.RemoveMemoryPressure((long)Bytes);
    }

    public ulong* Address { get; }

    public int Words { get; }

    private nuint Bytes => (nuint)Words * sizeof(ulong);

    /// <summary>Reserves memory.</summary>
    /// <returns>Null: there is none.</returns>
    public static LogMemory? TryReserve(int words)
    {
        using var none = new SafeFileHandle(-1, ownsHandle: false);
        const int Flags = Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE;
        var memory = Libc.mmap(null, (nuint)words * sizeof(ulong), Libc.PROT_READ | Libc.PROT_WRITE, Flags, none, 0);
        return memory == Libc.MAP_FAILED ? null : new((ulong*)memory, words);
    }

    /// <summary>Gives the memory back and reads as zero again; the addresses stay.</summary>
    /// <returns>False: it cannot be given back, as where the process has locked its memory (mlockall).</returns>
    public bool TryClear()
    {
        var isCleared = Libc.madvise(Address, Bytes, Libc.MADV_DONTNEED) == 0;
        GC.KeepAlive(this);
        return isCleared;
    }
}
