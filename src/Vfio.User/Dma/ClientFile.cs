using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Wire;

namespace Vfio.User.Dma;

/// <summary>Decides how the file of a DMA_MAP may be reached without trusting the client that sent it.</summary>
internal static unsafe class ClientFile
{
    /// <summary>Makes the map; it owns the descriptor, or has closed it.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="access">What the device may do.</param>
    /// <param name="file">The descriptor that came with the request; always taken over.</param>
    /// <param name="offset">Where in the file the range begins.</param>
    /// <param name="fileIo">Whether the client asks for reads and writes instead of a mapping.</param>
    /// <returns>
    /// EINVAL: no file with bytes of its own, or the range lies beyond its end. EACCES: it was not opened for that access.
    /// </returns>
    public static VfioResult<ClientMap> Map(ulong iova, ulong size, DmaAccess access, SafeFileHandle file, ulong offset, bool fileIo)
    {
        var kept = false;
        try
        {
            var error = Check(file, access, fileIo, offset, size, out var sealedPage);
            if (error != Errno.None)
                return error;
            if (sealedPage != 0 && !fileIo)
                return MemoryMap.Create(iova, size, access, file, offset, sealedPage);
            error = CheckCalls(file, access);
            if (error != Errno.None)
                return error;
            kept = true;
            return new FileMap(iova, size, access, file, (long)offset);
        }
        finally
        {
            if (!kept)
                file.Dispose();
        }
    }

    // sealedPage: the page size of a file that nobody can shorten; 0 of any other.
    private static Errno Check(SafeFileHandle file, DmaAccess access, bool fileIo, ulong offset, ulong size, out uint sealedPage)
    {
        sealedPage = 0;
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
        if (isSealed)
            sealedPage = uint.IsPow2(status.stx_blksize) ? Math.Max(status.stx_blksize, Limits.PageSize) : Limits.PageSize;

        // Files of /proc have no size; there is nothing to fault on in a file that is read by calls.
        var sized = !(fileIo && status.stx_size == 0);
        var end = sized ? status.stx_size : long.MaxValue;
        return offset > end || size > end - offset ? Errno.EINVAL : Errno.None;
    }

    // Huge pages' file system reads but does not write, others neither; better refused now than at the first transfer.
    private static Errno CheckCalls(SafeFileHandle file, DmaAccess access)
    {
        byte none;
        if (access.HasFlag(DmaAccess.Read) && Libc.pread(file, &none, 0, 0) < 0)
            return (Errno)Marshal.GetLastPInvokeError();
        if (access.HasFlag(DmaAccess.Write) && Libc.pwrite(file, &none, 0, 0) < 0)
            return (Errno)Marshal.GetLastPInvokeError();
        return Errno.None;
    }

    private static int Statx(SafeFileHandle file, statx_t* status)
    {
        var held = false;
        try
        {
            file.DangerousAddRef(ref held);
            return Libc.statx((int)file.DangerousGetHandle(), "", Libc.AT_EMPTY_PATH, Libc.STATX_TYPE | Libc.STATX_SIZE, status);
        }
        finally
        {
            if (held)
                file.DangerousRelease();
        }
    }
}
