using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio;

/// <summary>
/// A region that is memory of this process and that clients map, wholly or in areas: one file, sealed so that no client can resize it.
/// Accesses by message and accesses through the mapping meet in the same bytes.
/// </summary>
public sealed unsafe class SharedMemoryRegion : DeviceRegion
{
    private readonly byte* _memory;
    private readonly nuint _length;

    /// <summary>Creates the memory, all 0.</summary>
    /// <param name="size">Bytes, at least 1.</param>
    /// <param name="areas">What clients may map, ascending, page aligned; null for all of it, if that is whole pages.</param>
    /// <exception cref="VfioException">There is no memory, or no descriptor.</exception>
    public SharedMemoryRegion(int size, IReadOnlyList<RegionArea>? areas = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var page = (ulong)Environment.SystemPageSize;
        foreach (var area in areas ?? [new(0, (ulong)size)])
        {
            if ((area.Offset | area.Size) % page != 0 || area.Offset > (ulong)size || area.Size > (ulong)size - area.Offset)
                throw new ArgumentException($"an area that is not whole pages of the {size} bytes: {area}", nameof(areas));
        }

        Size = (ulong)size;
        _length = (nuint)size;
        var file = Libc.memfd_create("vfio-region", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING);
        const int Seals = Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_SEAL;
        if (file.IsInvalid || Libc.ftruncate(file, size) != 0 || Libc.fcntl(file, Libc.F_ADD_SEALS, Seals) != 0)
            throw Failed(file);
        var address = Libc.mmap(null, _length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, file, 0);
        if (address == Libc.MAP_FAILED)
            throw Failed(file);
        _memory = (byte*)address;
        Mapping = new() { File = file, Areas = areas ?? [new(0, Size)], Address = (nint)address };
    }

    /// <summary>A front end may touch the memory for as long as it holds the device, so it lasts as long as anyone can reach it.</summary>
    ~SharedMemoryRegion()
    {
        if (_memory is not null)
            _ = Libc.munmap(_memory, _length);
    }

    /// <inheritdoc/>
    public override ulong Size { get; }

    /// <inheritdoc/>
    public override RegionFlags Flags => RegionFlags.Read | RegionFlags.Write | RegionFlags.Mmap;

    /// <inheritdoc/>
    public override RegionMapping Mapping { get; }

    /// <summary>Copies bytes out.</summary>
    /// <param name="offset">From the start of the region; with the length inside it.</param>
    /// <param name="destination">Receives them. Clients may be writing them meanwhile.</param>
    public void CopyTo(ulong offset, Span<byte> destination)
    {
        Inside(offset, destination.Length).CopyTo(destination);
        GC.KeepAlive(this);
    }

    /// <summary>Copies bytes in.</summary>
    /// <param name="offset">From the start of the region; with the length inside it.</param>
    /// <param name="source">The bytes.</param>
    public void CopyFrom(ulong offset, ReadOnlySpan<byte> source)
    {
        source.CopyTo(Inside(offset, source.Length));
        GC.KeepAlive(this);
    }

    /// <summary>Makes every byte 0.</summary>
    public void Clear()
    {
        Inside(0, (int)Size).Clear();
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    public override VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        CopyTo(offset, destination);
        return destination.Length;
    }

    /// <inheritdoc/>
    public override VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        CopyFrom(offset, source);
        return source.Length;
    }

    private Span<byte> Inside(ulong offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)length, Size - offset);
        return new(_memory + offset, length);
    }

    private static VfioException Failed(SafeFileHandle file)
    {
        var failure = VfioException.FromLibc("memory for a region");
        file.Dispose();
        return failure;
    }
}
