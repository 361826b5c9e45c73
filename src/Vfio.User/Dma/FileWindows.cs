using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Dma;

/// <summary>
/// What of one client's sealed files is mapped. Maps that lie near each other in a file share one mapping: a client with a virtual IOMMU
/// has as many maps of single pages as the kernel gives a process mappings (vm.max_map_count), and the runtime dies where there are no
/// more. Thread-safe.
/// </summary>
internal sealed unsafe class FileWindows
{
    /// <summary>Address space only: what nobody touches takes no memory.</summary>
    public const ulong WindowSize = 1ul << 30;

    private readonly Lock _changing = new();
    private readonly Dictionary<FileWindowKey, FileWindow> _shared = [];
    private long _mappings;
    private long _addresses;

    /// <summary>Finds or makes a mapping of a range.</summary>
    /// <param name="file">The file: nobody can shorten it.</param>
    /// <param name="identity">Which file it is.</param>
    /// <param name="fileSize">Its size, or what it was a moment ago.</param>
    /// <param name="pageSize">Its page size, a power of two: of huge pages, only whole ones are mapped and unmapped.</param>
    /// <param name="protection">PROT_READ, PROT_WRITE.</param>
    /// <param name="offset">First byte of the range.</param>
    /// <param name="size">Bytes; the range ends within the file's size.</param>
    /// <param name="address">Where the range begins in this process.</param>
    /// <returns>
    /// The mapping, to be given back by <see cref="Release"/>; ENOMEM: the client has all that it may, or there is no room.
    /// </returns>
    public VfioResult<FileWindow> Take(
        SafeFileHandle file, FileIdentity identity, ulong fileSize, uint pageSize, int protection, ulong offset, ulong size,
        out byte* address)
    {
        var windowSize = Math.Max(WindowSize, pageSize);
        var start = offset & ~(windowSize - 1);
        lock (_changing)
        {
            if (offset + size - start <= windowSize)
            {
                var key = new FileWindowKey(identity, start, protection);
                // The file may have grown since the window was made.
                if (_shared.TryGetValue(key, out var found) && offset + size - start <= found.Length)
                {
                    found.Users++;
                    address = found.Memory + (offset - start);
                    return found;
                }

                var window = Map(file, start, Math.Min(windowSize, RoundUp(fileSize, pageSize) - start), protection, key);
                // Huge pages are reserved when they are mapped: where the pool does not hold so many, those of the range have to do.
                if (window.IsSuccess)
                {
                    _shared[key] = window.Value;
                    address = window.Value.Memory + (offset - start);
                    return window;
                }
            }

            start = offset & ~(pageSize - 1ul);
            var exact = Map(file, start, RoundUp(offset + size, pageSize) - start, protection, null);
            address = exact.IsSuccess ? exact.Value.Memory + (offset - start) : null;
            return exact;
        }
    }

    /// <summary>A map does not lie in the window any more; with the last one the mapping goes.</summary>
    public void Release(FileWindow window)
    {
        lock (_changing)
        {
            if (--window.Users != 0)
                return;
            if (window.Key is { } key && _shared.TryGetValue(key, out var found) && found == window)
                _shared.Remove(key);
            Libc.munmap(window.Memory, window.Length);
            ProcessLimits.ReturnMapping(window.Length, ref _mappings, ref _addresses);
        }
    }

    // Nothing here wraps: the range lies inside a file, whose size is a signed number.
    private static ulong RoundUp(ulong bytes, uint pageSize) => (bytes + (pageSize - 1ul)) & ~(pageSize - 1ul);

    private VfioResult<FileWindow> Map(SafeFileHandle file, ulong start, ulong length, int protection, FileWindowKey? key)
    {
        if (!ProcessLimits.TryTakeMapping(length, ref _mappings, ref _addresses))
            return Errno.ENOMEM;
        var memory = Libc.mmap(null, (nuint)length, protection, Libc.MAP_SHARED, file, (long)start);
        if (memory != Libc.MAP_FAILED)
            return new FileWindow((byte*)memory, (nuint)length) { Key = key };
        var error = (Errno)Marshal.GetLastPInvokeError();
        ProcessLimits.ReturnMapping(length, ref _mappings, ref _addresses);
        return error;
    }
}
