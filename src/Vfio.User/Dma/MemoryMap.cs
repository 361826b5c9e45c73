using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Dma;

/// <summary>A range of a file that nobody can shorten: it is mapped, and touched in place.</summary>
internal sealed unsafe class MemoryMap : ClientMap
{
    private readonly byte* _memory;
    private readonly nuint _length;

    private MemoryMap(ulong iova, ulong size, DmaAccess access, byte* memory, nuint length, nuint before)
        : base(iova, size, access, memory + before)
    {
        _memory = memory;
        _length = length;
    }

    /// <summary>Maps the file; the descriptor is not needed any more afterwards.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="access">What the device may do.</param>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where in it the range begins.</param>
    /// <param name="pageSize">The file's page size, a power of two: of huge pages, only whole ones are mapped and unmapped.</param>
    public static VfioResult<ClientMap> Create(
        ulong iova, ulong size, DmaAccess access, SafeFileHandle file, ulong offset, uint pageSize)
    {
        var protection = (access.HasFlag(DmaAccess.Read) ? Libc.PROT_READ : 0) | (access.HasFlag(DmaAccess.Write) ? Libc.PROT_WRITE : 0);
        var before = offset & (pageSize - 1ul);

        // Nothing here wraps: the range lies inside a file, whose size is a signed number.
        var length = (nuint)((before + size + (pageSize - 1ul)) & ~(pageSize - 1ul));
        var memory = Libc.mmap(null, length, protection, Libc.MAP_SHARED, file, (long)(offset - before));
        return memory == Libc.MAP_FAILED
            ? (Errno)Marshal.GetLastPInvokeError()
            : new MemoryMap(iova, size, access, (byte*)memory, length, (nuint)before);
    }

    protected override void OnUnmapped() => Libc.munmap(_memory, _length);
}
