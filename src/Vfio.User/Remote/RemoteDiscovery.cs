using Microsoft.Extensions.Logging;

namespace Vfio.User.Remote;

/// <summary>Learns what device a server has: connects, asks, disconnects.</summary>
internal static class RemoteDiscovery
{
    /// <summary>Finds the function.</summary>
    /// <exception cref="VfioException">It cannot be had; the message says what to do.</exception>
    public static async Task<IPciFunction> FindAsync(
        VfioUserRemote remote, PciAddress address, ILogger? logger, CancellationToken cancellationToken)
    {
        var path = remote.SocketPath;
        var device = new VfioUserDevice(VfioUserEndpoint.Path(path), remote.Options, logger);
        var opened = await device.OpenAsync(new() { Dma = new DmaSpace() }, cancellationToken).ConfigureAwait(false);
        if (!opened.IsSuccess)
            throw new VfioException(opened.Error, $"remote {path}: {WhyNot(opened.Error, remote.Options)} ({opened.Error})");
        try
        {
            var snapshot = RemoteSnapshot.Take(device);
            return snapshot.IsSuccess
                ? new VfioUserFunction(path, address, device, snapshot.Value!)
                : throw new VfioException(snapshot.Error, $"remote {path}: {WhyNoFunction(snapshot.Error)} ({snapshot.Error})");
        }
        finally
        {
            await device.CloseAsync(ResetCause.Close).ConfigureAwait(false);
        }
    }

    private static string WhyNot(Errno error, VfioUserClientOptions? options) => error switch
    {
        Errno.ENOENT => "there is no such socket; start its server first",
        Errno.ECONNREFUSED => "nobody listens on it; its server has ended, start it again",
        Errno.EACCES or Errno.EPERM => "this user may not connect to it",
        Errno.EINVAL => "its path is longer than a unix socket's can be (107 bytes), or its server refused the connection",
        Errno.ETIMEDOUT =>
            $"no answer within {(options ?? new()).ConnectTimeout.TotalSeconds:0.#} s; another client has it (a vfio-user server takes one at a "
            + "time), or it is no vfio-user server",
        Errno.EPROTO => "what listens on it is no vfio-user server",
        Errno.ECONNRESET or Errno.ENOTCONN or Errno.EPIPE => "it hung up; it is no vfio-user server, or takes no client now",
        Errno.EOPNOTSUPP => "it speaks another version of the protocol",
        Errno.EBUSY => "another client has its device",
        _ => "its server refused the connection",
    };

    private static string WhyNoFunction(Errno error) => error switch
    {
        Errno.EOPNOTSUPP => "its device is no PCI function",
        Errno.ENODEV => "its configuration space reads as ones: there is no function behind it",
        Errno.EPROTO => "its configuration space is neither 256 nor 4096 bytes, or cannot be read",
        _ => "its device could not be asked what it is",
    };
}
