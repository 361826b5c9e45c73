using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Wire;

namespace Vfio.User.Dma;

/// <summary>Decides how the file of a DMA_MAP may be reached without trusting the client that sent it.</summary>
internal static unsafe class ClientFile
{
    /// <summary>Makes the map.</summary>
    /// <param name="space">The client's space: who shares out what maps of one file have in common.</param>
    /// <param name="iova">First address.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="access">What the device may do.</param>
    /// <param name="file">The descriptor that came with the request; always taken over.</param>
    /// <param name="offset">Where in the file the range begins.</param>
    /// <param name="fileIo">Whether the client asks for reads and writes instead of a mapping.</param>
    /// <returns>
    /// EINVAL: no file with bytes of its own, or the range lies beyond its end. EACCES: it was not opened for that access. ENOMEM, EMFILE:
    /// clients have as many mappings or descriptors as they may.
    /// </returns>
    public static VfioResult<ClientMap> Map(
        ClientDmaSpace space, ulong iova, ulong size, DmaAccess access, SafeFileHandle file, ulong offset, bool fileIo)
    {
        var checkedFile = Check(file, access, fileIo, offset, size);
        if (!checkedFile.IsSuccess)
        {
            file.Dispose();
            return checkedFile.Error;
        }

        var status = checkedFile.Value;
        return status.IsSealed && !fileIo
            ? MapMemory(space, iova, size, access, file, offset, status)
            : MapCalls(space, iova, size, access, file, offset, status, fileIo);
    }

    private static VfioResult<ClientMap> MapMemory(
        ClientDmaSpace space, ulong iova, ulong size, DmaAccess access, SafeFileHandle file, ulong offset, in Status status)
    {
        var protection = (access.HasFlag(DmaAccess.Read) ? Libc.PROT_READ : 0) | (access.HasFlag(DmaAccess.Write) ? Libc.PROT_WRITE : 0);
        var window = space.Windows.Take(file, status.Identity, status.Size, status.PageSize, protection, offset, size, out var address);
        if (!window.IsSuccess)
        {
            file.Dispose();
            return window.Error;
        }

        // The mapping keeps the file; the descriptor is for whoever follows what is mapped.
        var backing = space.Backings.Take(file, new OpenFileKey(status.Identity, status.Flags));
        return new MemoryMap(iova, size, access, address, window.Value, space, backing, offset);
    }

    private static VfioResult<ClientMap> MapCalls(
        ClientDmaSpace space, ulong iova, ulong size, DmaAccess access, SafeFileHandle file, ulong offset, in Status status, bool fileIo)
    {
        var open = space.Files.Take(file, new OpenFileKey(status.Identity, status.Flags), access);
        return open.IsSuccess ? new FileMap(iova, size, access, open.Value, space, (long)offset, canBeMapped: !fileIo) : open.Error;
    }

    private static VfioResult<Status> Check(SafeFileHandle file, DmaAccess access, bool fileIo, ulong offset, ulong size)
    {
        var flags = Libc.fcntl(file, Libc.F_GETFL, 0);
        if (flags < 0 || (flags & Libc.O_PATH) != 0)
            return Errno.EINVAL;
        var mode = flags & Libc.O_ACCMODE;
        if ((access.HasFlag(DmaAccess.Read) && mode == Libc.O_WRONLY) || (access.HasFlag(DmaAccess.Write) && mode == Libc.O_RDONLY))
            return Errno.EACCES;

        // The seals are asked for before the size: once a file cannot shrink, its size can only grow.
        var seals = Libc.fcntl(file, Libc.F_GET_SEALS, 0);
        var isSealed = seals >= 0 && (seals & Libc.F_SEAL_SHRINK) != 0;
        statx_t status;
        if (Statx(file, &status) < 0 || (status.stx_mode & Libc.S_IFMT) != Libc.S_IFREG)
            return Errno.EINVAL;

        // Files of /proc have no size; there is nothing to fault on in a file that is read by calls.
        var sized = !(fileIo && status.stx_size == 0);
        var end = sized ? status.stx_size : long.MaxValue;
        if (offset > end || size > end - offset)
            return Errno.EINVAL;
        var pageSize = uint.IsPow2(status.stx_blksize) ? Math.Max(status.stx_blksize, Limits.PageSize) : Limits.PageSize;
        var identity = new FileIdentity(status.stx_dev_major, status.stx_dev_minor, status.stx_ino);
        return new Status(identity, status.stx_size, pageSize, flags, isSealed);
    }

    private static int Statx(SafeFileHandle file, statx_t* status)
    {
        const uint Wanted = Libc.STATX_TYPE | Libc.STATX_SIZE | Libc.STATX_INO;
        var held = false;
        try
        {
            file.DangerousAddRef(ref held);
            return Libc.statx((int)file.DangerousGetHandle(), "", Libc.AT_EMPTY_PATH, Wanted, status);
        }
        finally
        {
            if (held)
                file.DangerousRelease();
        }
    }

    /// <summary>What is known of a file that came. PageSize is that of a file that can be mapped.</summary>
    private readonly record struct Status(FileIdentity Identity, ulong Size, uint PageSize, int Flags, bool IsSealed);
}
