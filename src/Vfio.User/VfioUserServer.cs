using Microsoft.Extensions.Logging;

namespace Vfio.User;

/// <summary>Serves one device on one endpoint to vfio-user clients, one after the other.</summary>
/// <remarks>
/// One thread of its own waits for the client and answers it, in order. The device is opened when a client has negotiated a version, and closed when the
/// client is gone: with <see cref="ResetCause.ClientLost"/> however it went (the protocol has no goodbye), with <see cref="ResetCause.Close"/> when the
/// server is stopped. What the device throws becomes EIO for that one request.
/// </remarks>
public sealed class VfioUserServer
{
    /// <summary>Creates a server; it runs once.</summary>
    /// <param name="device">The device; the server opens and closes it, and never disposes it.</param>
    /// <param name="options">How to serve; null for the defaults.</param>
    /// <param name="logger">Whom to tell of clients and of the device's faults; null for no one.</param>
    public VfioUserServer(VfioDevice device, VfioUserServerOptions? options = null, ILogger? logger = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        _ = options;
        _ = logger;
    }

    /// <summary>Completes once clients are accepted; fails as <see cref="RunAsync"/> does if that never happens.</summary>
    public Task Listening => throw new NotImplementedException();

    /// <summary>Serves until it is cancelled, or as <see cref="VfioUserServerOptions.EndAfterOneClient"/> says, or the one client of a connected descriptor is gone.</summary>
    /// <param name="endpoint">Where.</param>
    /// <param name="cancellationToken">Stops: the client is disconnected, the device closed, the socket removed. Being stopped is no failure.</param>
    /// <returns>Completes when the device is closed and the endpoint given up.</returns>
    /// <exception cref="VfioException">The endpoint cannot be had: EBUSY: somebody listens there. EEXIST: the path holds something that is no socket.</exception>
    public Task RunAsync(VfioUserEndpoint endpoint, CancellationToken cancellationToken) => throw new NotImplementedException();
}
