using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Dma;

/// <summary>A client's file that is read and written by calls, and how many maps need it.</summary>
internal sealed unsafe class OpenFile(OpenFileKey key, SafeFileHandle handle)
{
    private DmaAccess _tried;

    public OpenFileKey Key { get; } = key;

    public SafeFileHandle Handle { get; } = handle;

    /// <summary>How many maps need it. Guarded by who shares it out.</summary>
    public int Users { get; set; } = 1;

    /// <summary>Huge pages' file system reads but does not write, others neither; better refused now than at the first transfer.</summary>
    public Errno Try(DmaAccess access)
    {
        byte none;
        var untried = access & ~_tried;
        if (untried.HasFlag(DmaAccess.Read) && Libc.pread(Handle, &none, 0, 0) < 0)
            return (Errno)Marshal.GetLastPInvokeError();
        if (untried.HasFlag(DmaAccess.Write) && Libc.pwrite(Handle, &none, 0, 0) < 0)
            return (Errno)Marshal.GetLastPInvokeError();
        _tried |= access;
        return Errno.None;
    }

    /// <summary>
    /// Whether another descriptor is of the same open file description: of files such as /proc/PID/mem, two descriptions of one inode do
    /// not reach the same bytes.
    /// </summary>
    public bool IsSame(SafeFileHandle other)
    {
        var mine = (int)Handle.DangerousGetHandle();
        var same = Libc.fcntl(other, Libc.F_DUPFD_QUERY, mine);
        // Before Linux 6.10; a kernel that has neither lets nothing be shared.
        return same >= 0
            ? same == 1
            : Libc.kcmp(Environment.ProcessId, Environment.ProcessId, Libc.KCMP_FILE, (ulong)mine, (ulong)other.DangerousGetHandle()) == 0;
    }
}

/// <summary>By what a descriptor that comes again is recognised: the file, and the flags that it was opened with.</summary>
internal readonly record struct OpenFileKey(FileIdentity File, int Flags);
