using Microsoft.Extensions.Logging;

namespace Vfio.User.Sessions;

/// <summary>What a server says to people.</summary>
internal static partial class SessionLog
{
    [LoggerMessage(1, LogLevel.Information, "{Name}: listening")]
    public static partial void Listening(this ILogger logger, string name);

    [LoggerMessage(2, LogLevel.Information, "{Name}: a client is connected (minor {Minor}, twin socket {Twin})")]
    public static partial void Connected(this ILogger logger, string name, ushort minor, bool twin);

    [LoggerMessage(3, LogLevel.Information, "{Name}: the client is gone")]
    public static partial void Gone(this ILogger logger, string name);

    [LoggerMessage(13, LogLevel.Information, "{Name}: the client is gone; the device stays open")]
    public static partial void GoneAndKept(this ILogger logger, string name);

    [LoggerMessage(4, LogLevel.Warning, "{Name}: a client did not negotiate a version in time")]
    public static partial void NegotiationTimedOut(this ILogger logger, string name);

    [LoggerMessage(5, LogLevel.Warning, "{Name}: a client proposed a version or capabilities that cannot be served")]
    public static partial void NegotiationRefused(this ILogger logger, string name);

    [LoggerMessage(6, LogLevel.Warning, "{Name}: the device does not open: {Error}")]
    public static partial void OpenFailed(this ILogger logger, string name, Errno error);

    [LoggerMessage(7, LogLevel.Warning, "{Name}: the client sent a message of {Size} bytes: it is disconnected")]
    public static partial void Malformed(this ILogger logger, string name, uint size);

    [LoggerMessage(8, LogLevel.Warning, "{Name}: descriptors of the client were lost, or its socket failed: it is disconnected")]
    public static partial void Broken(this ILogger logger, string name);

    [LoggerMessage(9, LogLevel.Error, "{Name}: the device failed at {What}; the client gets EIO; more of it is logged as debug")]
    public static partial void DeviceFailed(this ILogger logger, Exception fault, string name, string what);

    [LoggerMessage(10, LogLevel.Debug, "{Name}: the device failed again at {What}, {Count} times by now")]
    public static partial void DeviceFailedAgain(this ILogger logger, Exception fault, string name, string what, int count);

    [LoggerMessage(11, LogLevel.Error, "{Name}: the session of a client failed; the next one is served")]
    public static partial void SessionFailed(this ILogger logger, Exception fault, string name);

    [LoggerMessage(12, LogLevel.Warning, "{Name}: a client cannot be accepted: {Error}; trying again in a second")]
    public static partial void AcceptFailed(this ILogger logger, string name, Errno error);
}
