using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio;

/// <summary>Memory of this process that a device is given: for a host that embeds the packages and is its own client.</summary>
public sealed unsafe class LocalMemory : DmaMap
{
    private readonly void* _memory;

    private LocalMemory(ulong iova, ulong size, DmaAccess access, void* memory)
        : base(iova, size, access, memory) => _memory = memory;

    /// <summary>Allocates zeroed, page-aligned memory.</summary>
    /// <param name="iova">The address that the device knows it by.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="access">What the device may do.</param>
    /// <exception cref="VfioException">There is no memory.</exception>
    public static LocalMemory Allocate(ulong iova, int size, DmaAccess access = DmaAccess.Read | DmaAccess.Write)
    {
        using var none = new SafeFileHandle(-1, ownsHandle: false);
        var memory = Libc.mmap(null, (nuint)size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, none, 0);
        return memory == Libc.MAP_FAILED ? throw VfioException.FromLibc($"mmap of {size} bytes") : new(iova, (ulong)size, access, memory);
    }

    /// <summary>The memory; not to be touched once the range has been unmapped.</summary>
    public Span<byte> Span => new(_memory, (int)Size);

    /// <inheritdoc/>
    protected override void OnUnmapped() => Libc.munmap(_memory, (nuint)Size);
}
