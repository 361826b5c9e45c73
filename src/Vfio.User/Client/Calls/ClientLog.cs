using Microsoft.Extensions.Logging;

namespace Vfio.User.Client.Calls;

/// <summary>What a client says to people.</summary>
internal static partial class ClientLog
{
    [LoggerMessage(101, LogLevel.Information, "{Name}: connected (minor {Minor}, twin socket {Twin}): {Capabilities}")]
    public static partial void ClientConnected(this ILogger logger, string name, ushort minor, bool twin, string capabilities);

    [LoggerMessage(102, LogLevel.Warning, "{Name}: the connection has ended: {Reason}")]
    public static partial void ConnectionFailed(this ILogger logger, string name, string reason);

    [LoggerMessage(103, LogLevel.Error, "{Name}: the memory that the server asked for failed; it gets EIO")]
    public static partial void MemoryFailed(this ILogger logger, Exception fault, string name);

    [LoggerMessage(104, LogLevel.Warning, "{Name}: the device cannot be opened: {Reason}")]
    public static partial void DeviceNotOpened(this ILogger logger, string name, string reason);
}
