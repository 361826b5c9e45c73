using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Dma;

/// <summary>A range of a file that nobody can shorten: it is mapped, and touched in place.</summary>
internal sealed unsafe class MemoryMap : ClientMap
{
    private readonly void* _memory;

    private MemoryMap(ulong iova, ulong size, DmaAccess access, void* memory)
        : base(iova, size, access, memory) => _memory = memory;

    /// <summary>Maps the file; the descriptor is not needed any more afterwards.</summary>
    public static VfioResult<ClientMap> Create(ulong iova, ulong size, DmaAccess access, SafeFileHandle file, long offset)
    {
        var protection = (access.HasFlag(DmaAccess.Read) ? Libc.PROT_READ : 0) | (access.HasFlag(DmaAccess.Write) ? Libc.PROT_WRITE : 0);
        var memory = Libc.mmap(null, (nuint)size, protection, Libc.MAP_SHARED, file, offset);
        return memory == Libc.MAP_FAILED ? (Errno)Marshal.GetLastPInvokeError() : new MemoryMap(iova, size, access, memory);
    }

    protected override void OnUnmapped() => Libc.munmap(_memory, (nuint)Size);
}
