using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vfio.Native;

public static unsafe partial class Libc
{
#pragma warning disable CS1591 // The man page of each function and constant is its documentation; repeating it here would only age.
    public const int EPOLL_CLOEXEC = 0x80000, EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2;
    public const uint EPOLLIN = 1, EPOLLERR = 8, EPOLLHUP = 16;

    [LibraryImport("libc", SetLastError = true)]
    public static partial SafeFileHandle epoll_create1(int flags);

    // The structure is packed on x86-64 and nowhere else, so there is no one C# struct for it: Epoll knows both.
    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_ctl(SafeFileHandle epfd, int op, SafeFileHandle fd, void* @event);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_wait(SafeFileHandle epfd, void* events, int maxevents, int timeout);
#pragma warning restore CS1591
}
