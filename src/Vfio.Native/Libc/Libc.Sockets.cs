using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vfio.Native;

public static unsafe partial class Libc
{
#pragma warning disable CS1591 // The man page of each function and constant is its documentation; repeating it here would only age.
    public const int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000, SOCK_NONBLOCK = 0x800, SOL_SOCKET = 1, SCM_RIGHTS = 1;
    public const int SO_TYPE = 3, SO_SNDBUF = 7, SO_SNDTIMEO = 21, SO_ACCEPTCONN = 30, SO_DOMAIN = 39;
    public const int MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000, MSG_CTRUNC = 8, MSG_CMSG_CLOEXEC = 0x40000000, MSG_WAITALL = 0x100;
    public const int SHUT_RD = 0, SHUT_WR = 1, SHUT_RDWR = 2;
    public const short POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16, POLLNVAL = 32;

    /// <summary>The most descriptors that one SCM_RIGHTS message carries (the kernel's SCM_MAX_FD).</summary>
    public const int SCM_MAX_FD = 253;

    [LibraryImport("libc", SetLastError = true)]
    public static partial SafeFileHandle socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int socketpair(int domain, int type, int protocol, int* sv);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int bind(SafeFileHandle sockfd, sockaddr_un* addr, uint addrlen);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int connect(SafeFileHandle sockfd, sockaddr_un* addr, uint addrlen);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int listen(SafeFileHandle sockfd, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    public static partial SafeFileHandle accept4(SafeFileHandle sockfd, void* addr, uint* addrlen, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int shutdown(SafeFileHandle sockfd, int how);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int getsockopt(SafeFileHandle sockfd, int level, int optname, void* optval, uint* optlen);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int setsockopt(SafeFileHandle sockfd, int level, int optname, void* optval, uint optlen);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint sendmsg(SafeFileHandle sockfd, msghdr* msg, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint recvmsg(SafeFileHandle sockfd, msghdr* msg, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int poll(pollfd* fds, ulong nfds, int timeout);

    /// <summary>CMSG_ALIGN: the length rounded up to the size of a pointer.</summary>
    public static nuint CMSG_ALIGN(nuint length) => (length + 7) & ~(nuint)7;

    /// <summary>CMSG_SPACE: the room that a control message with a payload of this length takes.</summary>
    public static nuint CMSG_SPACE(nuint length) => CMSG_ALIGN((nuint)sizeof(cmsghdr)) + CMSG_ALIGN(length);

    /// <summary>CMSG_LEN: what cmsg_len holds for a payload of this length.</summary>
    public static nuint CMSG_LEN(nuint length) => CMSG_ALIGN((nuint)sizeof(cmsghdr)) + length;
#pragma warning restore CS1591
}
