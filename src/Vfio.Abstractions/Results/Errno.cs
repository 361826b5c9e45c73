namespace Vfio;

/// <summary>
/// Linux error numbers: the errors that a client, a guest or a stream can cause. Source: the kernel's <c>asm-generic/errno.h</c>.
/// </summary>
public enum Errno
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>Operation not permitted (<c>EPERM</c>).</summary>
    EPERM = 1,

    /// <summary>No such file or directory (<c>ENOENT</c>).</summary>
    ENOENT = 2,

    /// <summary>Interrupted system call (<c>EINTR</c>).</summary>
    EINTR = 4,

    /// <summary>Input/output error (<c>EIO</c>).</summary>
    EIO = 5,

    /// <summary>No such device or address (<c>ENXIO</c>).</summary>
    ENXIO = 6,

    /// <summary>Argument list too long (<c>E2BIG</c>).</summary>
    E2BIG = 7,

    /// <summary>Bad file descriptor (<c>EBADF</c>).</summary>
    EBADF = 9,

    /// <summary>Resource temporarily unavailable (<c>EAGAIN</c>).</summary>
    EAGAIN = 11,

    /// <summary>Cannot allocate memory (<c>ENOMEM</c>).</summary>
    ENOMEM = 12,

    /// <summary>Permission denied (<c>EACCES</c>).</summary>
    EACCES = 13,

    /// <summary>Bad address (<c>EFAULT</c>).</summary>
    EFAULT = 14,

    /// <summary>Device or resource busy (<c>EBUSY</c>).</summary>
    EBUSY = 16,

    /// <summary>File exists (<c>EEXIST</c>).</summary>
    EEXIST = 17,

    /// <summary>No such device (<c>ENODEV</c>).</summary>
    ENODEV = 19,

    /// <summary>Not a directory (<c>ENOTDIR</c>).</summary>
    ENOTDIR = 20,

    /// <summary>Is a directory (<c>EISDIR</c>).</summary>
    EISDIR = 21,

    /// <summary>Invalid argument (<c>EINVAL</c>).</summary>
    EINVAL = 22,

    /// <summary>Too many open files (<c>EMFILE</c>).</summary>
    EMFILE = 24,

    /// <summary>Inappropriate ioctl for device (<c>ENOTTY</c>).</summary>
    ENOTTY = 25,

    /// <summary>File too large (<c>EFBIG</c>).</summary>
    EFBIG = 27,

    /// <summary>No space left on device (<c>ENOSPC</c>).</summary>
    ENOSPC = 28,

    /// <summary>Illegal seek (<c>ESPIPE</c>).</summary>
    ESPIPE = 29,

    /// <summary>Read-only file system (<c>EROFS</c>).</summary>
    EROFS = 30,

    /// <summary>Broken pipe (<c>EPIPE</c>).</summary>
    EPIPE = 32,

    /// <summary>Numerical result out of range (<c>ERANGE</c>).</summary>
    ERANGE = 34,

    /// <summary>Function not implemented (<c>ENOSYS</c>).</summary>
    ENOSYS = 38,

    /// <summary>No message of desired type (<c>ENOMSG</c>).</summary>
    ENOMSG = 42,

    /// <summary>Timer expired (<c>ETIME</c>).</summary>
    ETIME = 62,

    /// <summary>Protocol error (<c>EPROTO</c>).</summary>
    EPROTO = 71,

    /// <summary>Bad message (<c>EBADMSG</c>).</summary>
    EBADMSG = 74,

    /// <summary>Value too large for defined data type (<c>EOVERFLOW</c>).</summary>
    EOVERFLOW = 75,

    /// <summary>File descriptor in bad state (<c>EBADFD</c>).</summary>
    EBADFD = 77,

    /// <summary>Message too long (<c>EMSGSIZE</c>).</summary>
    EMSGSIZE = 90,

    /// <summary>Operation not supported (<c>EOPNOTSUPP</c>).</summary>
    EOPNOTSUPP = 95,

    /// <summary>Connection reset by peer (<c>ECONNRESET</c>).</summary>
    ECONNRESET = 104,

    /// <summary>No buffer space available (<c>ENOBUFS</c>).</summary>
    ENOBUFS = 105,

    /// <summary>Transport endpoint is not connected (<c>ENOTCONN</c>).</summary>
    ENOTCONN = 107,

    /// <summary>Cannot send after transport endpoint shutdown (<c>ESHUTDOWN</c>).</summary>
    ESHUTDOWN = 108,

    /// <summary>Connection timed out (<c>ETIMEDOUT</c>).</summary>
    ETIMEDOUT = 110,

    /// <summary>Connection refused (<c>ECONNREFUSED</c>).</summary>
    ECONNREFUSED = 111,

    /// <summary>Operation already in progress (<c>EALREADY</c>).</summary>
    EALREADY = 114,

    /// <summary>Operation canceled (<c>ECANCELED</c>).</summary>
    ECANCELED = 125,

    /// <summary>State not recoverable (<c>ENOTRECOVERABLE</c>).</summary>
    ENOTRECOVERABLE = 131,
}
