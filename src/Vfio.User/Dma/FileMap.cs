using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Dma;

/// <summary>
/// A range of a file that the client can shorten at any time: it is read and written by calls, which then fail, where a touch of mapped
/// memory would kill the process by SIGBUS.
/// </summary>
internal sealed unsafe class FileMap(
    ulong iova, ulong size, DmaAccess access, OpenFile file, ClientDmaSpace space, long offset, bool canBeMapped)
    : ClientMap(iova, size, access, null, space.Requests)
{
    // What the client wants read and written has bytes that a mapping would not show.
    public override (SafeFileHandle File, ulong Offset)? Backing => canBeMapped ? (file.Handle, (ulong)offset) : null;

    protected override VfioResult Read(ulong iova, Span<byte> destination)
    {
        fixed (byte* bytes = destination)
        {
            for (var done = 0; done < destination.Length;)
            {
                var count = Libc.pread(file.Handle, bytes + done, (nuint)(destination.Length - done), Position(iova, done));
                if (!Advance(count, ref done, out var error))
                    return error;
            }
        }

        return VfioResult.Success;
    }

    protected override VfioResult Write(ulong iova, ReadOnlySpan<byte> source)
    {
        fixed (byte* bytes = source)
        {
            for (var done = 0; done < source.Length;)
            {
                var count = Libc.pwrite(file.Handle, bytes + done, (nuint)(source.Length - done), Position(iova, done));
                if (!Advance(count, ref done, out var error))
                    return error;
            }
        }

        return VfioResult.Success;
    }

    protected override void OnUnmapped() => space.Files.Release(file);

    private long Position(ulong iova, int done) => offset + (long)(iova - Iova) + done;

    private static bool Advance(nint count, ref int done, out Errno error)
    {
        error = Errno.None;
        if (count > 0)
        {
            done += (int)count;
            return true;
        }

        // Nothing to read: the file has been shortened.
        error = count == 0 ? Errno.EFAULT : (Errno)Marshal.GetLastPInvokeError();
        return error == Errno.EINTR;
    }
}
