using Vfio.Native;

namespace Vfio.Benchmarks;

/// <summary>A page of a memory file, mapped shared: what a mappable BAR is to this process, back end or not.</summary>
public sealed unsafe class SharedPage
{
    /// <summary>Bytes.</summary>
    public const int Size = 4096;

    /// <summary>Creates and maps it.</summary>
    public SharedPage()
    {
        var file = Libc.memfd_create("bar", Libc.MFD_CLOEXEC);
        if (file.IsInvalid || Libc.ftruncate(file, Size) != 0)
            throw VfioException.FromLibc("memfd");
        var memory = Libc.mmap(null, Size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, file, 0);
        if (memory == Libc.MAP_FAILED)
            throw VfioException.FromLibc("mmap");
        Address = (nint)memory;
        Mapping = new() { File = file, Areas = [new RegionArea(0, Size)], Address = Address };
    }

    /// <summary>Where it is.</summary>
    public nint Address { get; }

    /// <summary>As a region's.</summary>
    public RegionMapping Mapping { get; }
}
