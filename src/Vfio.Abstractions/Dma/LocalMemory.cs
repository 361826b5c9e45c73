using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio;

/// <summary>Memory of this process that a device is given: for a host that embeds the packages and is its own client.</summary>
public sealed unsafe class LocalMemory : DmaMap
{
    private readonly void* _memory;
    private readonly SafeFileHandle? _file;

    private LocalMemory(ulong iova, ulong size, DmaAccess access, void* memory, SafeFileHandle? file)
        : base(iova, size, access, memory)
    {
        _memory = memory;
        _file = file;
    }

    /// <summary>Allocates zeroed, page-aligned memory that another process can be given (<see cref="DmaMap.Backing"/>).</summary>
    /// <param name="iova">The address that the device knows it by.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="access">What the device may do.</param>
    /// <exception cref="VfioException">There is no memory.</exception>
    /// <remarks>It takes a descriptor; where the process has none left, the memory is this process's alone.</remarks>
    public static LocalMemory Allocate(ulong iova, int size, DmaAccess access = DmaAccess.Read | DmaAccess.Write)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var file = CreateFile(size);
        void* memory = null;
        try
        {
            memory = Map(size, file);
            return new(iova, (ulong)size, access, memory, file);
        }
        catch
        {
            if (memory is not null)
                _ = Libc.munmap(memory, (nuint)size);
            file?.Dispose();
            throw;
        }
    }

    /// <summary>The memory; not to be touched once the range has been unmapped.</summary>
    public Span<byte> Span => new(_memory, (int)Size);

    /// <inheritdoc/>
    public override (SafeFileHandle File, ulong Offset)? Backing => _file is null ? null : (_file, 0);

    /// <inheritdoc/>
    protected override void OnUnmapped()
    {
        Libc.munmap(_memory, (nuint)Size);
        _file?.Dispose();
    }

    private static void* Map(int size, SafeFileHandle? file)
    {
        using var none = new SafeFileHandle(-1, ownsHandle: false);
        var flags = file is null ? Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS : Libc.MAP_SHARED;
        var memory = Libc.mmap(null, (nuint)size, Libc.PROT_READ | Libc.PROT_WRITE, flags, file ?? none, 0);
        return memory == Libc.MAP_FAILED ? throw VfioException.FromLibc($"mmap of {size} bytes") : memory;
    }

    private static SafeFileHandle? CreateFile(int size)
    {
        var file = Libc.memfd_create("vfio-local", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING);
        if (file.IsInvalid)
        {
            file.Dispose();
            return null;
        }

        // Whole pages, because only these can be mapped elsewhere; sealed, because only what cannot shrink is touched in place there.
        var pageMask = Environment.SystemPageSize - 1L;
        const int Seals = Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_SEAL;
        if (Libc.ftruncate(file, (size + pageMask) & ~pageMask) == 0 && Libc.fcntl(file, Libc.F_ADD_SEALS, Seals) == 0)
            return file;
        var failure = VfioException.FromLibc($"a memfd of {size} bytes");
        file.Dispose();
        throw failure;
    }
}
