using System.Runtime.InteropServices;

namespace Vfio.Native;

public static unsafe partial class Libc
{
#pragma warning disable CS1591 // The man page of each function and constant is its documentation; repeating it here would only age.
    public const int RLIMIT_NOFILE = 7, RLIMIT_AS = 9;
    public const int KCMP_FILE = 0;
    private const int ENOSYS = 38;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int getrlimit(int resource, rlimit* rlim);

    /// <summary>libc has no name for this call. Its number is known for x86-64 and ARM64; ENOSYS elsewhere.</summary>
    public static int kcmp(int pid1, int pid2, int type, ulong idx1, ulong idx2)
    {
        var number = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 312,
            Architecture.Arm64 => 272,
            _ => -1,
        };
        if (number >= 0)
            return (int)syscall(number, pid1, pid2, type, idx1, idx2);
        Marshal.SetLastPInvokeError(ENOSYS);
        return -1;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint pid1, nint pid2, nint type, ulong idx1, ulong idx2);
#pragma warning restore CS1591
}
