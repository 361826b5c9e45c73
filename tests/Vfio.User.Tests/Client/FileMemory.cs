using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>Guest memory of a test in a file that a server can map.</summary>
internal sealed unsafe class FileMemory : DmaMap
{
    private readonly SafeFileHandle _file;
    private readonly void* _memory;

    private FileMemory(ulong iova, ulong size, SafeFileHandle file, void* memory)
        : base(iova, size, DmaAccess.Read | DmaAccess.Write, memory)
    {
        _file = file;
        _memory = memory;
    }

    public static FileMemory Create(ulong iova, int size)
    {
        var file = TestFiles.SealedMemory(size);
        var memory = Libc.mmap(null, (nuint)size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, file, 0);
        Assert.True(memory != Libc.MAP_FAILED);
        return new FileMemory(iova, (ulong)size, file, memory);
    }

    public override (SafeFileHandle File, ulong Offset)? Backing => (_file, 0);

    public Span<byte> Span => new(_memory, (int)Size);

    protected override void OnUnmapped()
    {
        Libc.munmap(_memory, (nuint)Size);
        _file.Dispose();
    }
}
