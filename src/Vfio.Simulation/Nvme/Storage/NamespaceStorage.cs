using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Simulation.Nvme.Storage;

/// <summary>The blocks of a namespace, on a sparse file. Thread-safe; every call does its work before it returns.</summary>
internal sealed unsafe class NamespaceStorage : IDisposable
{
    private readonly SafeFileHandle _file;
    // Whether the file system can punch holes; one that cannot is written zeroes.
    private volatile bool _punches = true;

    private NamespaceStorage(SafeFileHandle file, long size)
    {
        _file = file;
        Size = size;
    }

    /// <summary>Bytes.</summary>
    internal long Size { get; }

    /// <summary>Opens a backing file, or creates it.</summary>
    /// <param name="path">The file; shared with other processes that have it open.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="temporary">Whether it is to be gone with its last user, whatever becomes of the process.</param>
    /// <exception cref="VfioException">The file cannot be had, or is longer than the namespace.</exception>
    internal static NamespaceStorage Open(string path, long size, bool temporary)
    {
        SafeFileHandle file;
        try
        {
            file = File.OpenHandle(path, temporary ? FileMode.CreateNew : FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VfioException(Errno.EIO, $"backing file {path}: {e.Message}", e);
        }

        if (temporary)
            File.Delete(path);
        var length = RandomAccess.GetLength(file);
        if (length > size)
        {
            file.Dispose();
            throw new VfioException(Errno.EFBIG, $"backing file {path} has {length} bytes and its namespace {size}: give the namespace its size");
        }

        if (length < size && Libc.ftruncate(file, size) != 0)
        {
            var error = VfioException.FromLibc($"extending {path} to {size} bytes");
            file.Dispose();
            throw error;
        }

        return new(file, size);
    }

    /// <summary>Reads into memory; the vectors are used up.</summary>
    internal Errno Read(iovec* vectors, int count, long offset) => Transfer(vectors, count, offset, write: false);

    /// <summary>Writes from memory; the vectors are used up.</summary>
    internal Errno Write(iovec* vectors, int count, long offset) => Transfer(vectors, count, offset, write: true);

    internal Errno Read(Span<byte> destination, long offset)
    {
        fixed (byte* start = destination)
        {
            var vector = new iovec { iov_base = start, iov_len = (nuint)destination.Length };
            return Transfer(&vector, 1, offset, write: false);
        }
    }

    internal Errno Write(ReadOnlySpan<byte> source, long offset)
    {
        fixed (byte* start = source)
        {
            var vector = new iovec { iov_base = start, iov_len = (nuint)source.Length };
            return Transfer(&vector, 1, offset, write: true);
        }
    }

    /// <summary>Makes everything written durable.</summary>
    internal Errno Flush()
    {
        while (Libc.fdatasync(_file) != 0)
        {
            var error = LastError();
            if (error != Errno.EINTR)
                return error;
        }

        return Errno.None;
    }

    /// <summary>Makes a range read as zeroes, and gives its space back where the file system can.</summary>
    internal Errno Zero(long offset, long length)
    {
        while (_punches)
        {
            if (Libc.fallocate(_file, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, offset, length) == 0)
                return Errno.None;
            var error = LastError();
            if (error is Errno.EOPNOTSUPP or Errno.ENOSYS)
                _punches = false;
            else if (error != Errno.EINTR)
                return error;
        }

        ReadOnlySpan<byte> zeroes = stackalloc byte[4096];
        for (; length > 0; offset += zeroes.Length, length -= zeroes.Length)
        {
            var error = Write(zeroes[..(int)Math.Min(zeroes.Length, length)], offset);
            if (error != Errno.None)
                return error;
        }

        return Errno.None;
    }

    public void Dispose() => _file.Dispose();

    private Errno Transfer(iovec* vectors, int count, long offset, bool write)
    {
        while (count > 0)
        {
            var moved = write ? Libc.pwritev(_file, vectors, count, offset) : Libc.preadv(_file, vectors, count, offset);
            if (moved < 0)
            {
                var error = LastError();
                if (error == Errno.EINTR)
                    continue;
                return error;
            }

            // The file was shortened by somebody.
            if (moved == 0)
                return Errno.EIO;
            offset += moved;
            while (count > 0 && (nuint)moved >= vectors->iov_len)
            {
                moved -= (nint)vectors->iov_len;
                vectors++;
                count--;
            }

            if (moved > 0)
            {
                vectors->iov_base = (byte*)vectors->iov_base + moved;
                vectors->iov_len -= (nuint)moved;
            }
        }

        return Errno.None;
    }

    private static Errno LastError() => (Errno)Marshal.GetLastPInvokeError();
}
