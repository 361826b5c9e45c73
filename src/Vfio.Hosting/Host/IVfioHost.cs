using Vfio.Hosting.Plugins;
using Vfio.User;

namespace Vfio.Hosting;

/// <summary>
/// Functions, the drivers that could serve them, and the devices that come of it. Nothing binds by itself: a device exists for a function
/// once somebody asks for it; a software-mediated one, from the start on. Thread-safe.
/// </summary>
public interface IVfioHost : IAsyncDisposable
{
    /// <summary>
    /// Loads the plugins and finds the functions; done once, and by every asynchronous member below if it was not done before.
    /// </summary>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask StartAsync(CancellationToken cancellationToken = default);

    /// <summary>The functions of every source, in address order; empty before the start.</summary>
    IReadOnlyList<IPciFunction> Functions { get; }

    /// <summary>The drivers, in load order, the generic one last; empty before the start.</summary>
    IReadOnlyList<DriverStatus> Drivers { get; }

    /// <summary>The plugin folders that were looked at, in that order, refused ones included; empty before the start.</summary>
    IReadOnlyList<PluginStatus> Plugins { get; }

    /// <summary>The function that an address, or the unique end of one, stands for.</summary>
    /// <param name="text">For example <c>0000:3b:00.2</c>, <c>3b:00.2</c> or <c>00.2</c>.</param>
    /// <exception cref="VfioException">ENODEV: no such function. EINVAL: several; the message lists them.</exception>
    IPciFunction Find(string text);

    /// <summary>Asks the drivers about a function and tells which one serves it, and why each other does not.</summary>
    /// <param name="function">The function's address.</param>
    /// <param name="driver">Only the driver of this name; null for the best one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VfioException">ENODEV: no such function.</exception>
    ValueTask<FunctionMatch> ExplainAsync(PciAddress function, string? driver = null, CancellationToken cancellationToken = default);

    /// <summary>Opens a function's device in this process. It is the caller's until it is disposed.</summary>
    /// <param name="function">The function's address.</param>
    /// <param name="options">How; null for the best driver, its default profile, and a DMA space with nothing mapped.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VfioException">ENODEV: no such function, or no driver took it. EBUSY: it is in use. Else what the device's open
    /// said.</exception>
    ValueTask<OpenedDevice> OpenAsync(PciAddress function, DeviceOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Serves a function's device over vfio-user, one client after the other. Returns once clients are accepted.</summary>
    /// <param name="function">The function's address.</param>
    /// <param name="endpoint">Where.</param>
    /// <param name="options">How; <see cref="DeviceOptions.Dma"/> must be null, because the client brings the memory.</param>
    /// <param name="cancellationToken">Gives up the start; <see cref="ServedDevice.DisposeAsync"/> ends the serving.</param>
    /// <exception cref="VfioException">As <see cref="OpenAsync(PciAddress, DeviceOptions?, CancellationToken)"/>; or the endpoint cannot be
    /// had.</exception>
    ValueTask<ServedDevice> ServeAsync(
        PciAddress function, VfioUserEndpoint endpoint, DeviceOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>The software-mediated devices, in the order in which they were added; empty before the start.</summary>
    IReadOnlyList<MediatedDevice> MediatedDevices { get; }

    /// <summary>Opens a software-mediated device in this process. It is the caller's until it is disposed.</summary>
    /// <param name="device">The name that it was added with.</param>
    /// <param name="options">How; <see cref="DeviceOptions.Driver"/> and <see cref="DeviceOptions.VfToken"/> must be null.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VfioException">ENODEV: no such device, or it could not be created. EBUSY: it is in use. Else what its open
    /// said.</exception>
    ValueTask<OpenedDevice> OpenAsync(string device, DeviceOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Serves a software-mediated device over vfio-user, one client after the other. Returns once clients are accepted.</summary>
    /// <param name="device">The name that it was added with.</param>
    /// <param name="endpoint">Where.</param>
    /// <param name="options">How; as for <see cref="OpenAsync(string, DeviceOptions?, CancellationToken)"/>, and no memory.</param>
    /// <param name="cancellationToken">Gives up the start; <see cref="ServedDevice.DisposeAsync"/> ends the serving.</param>
    /// <exception cref="VfioException">As <see cref="OpenAsync(string, DeviceOptions?, CancellationToken)"/>; or the endpoint cannot be
    /// had.</exception>
    ValueTask<ServedDevice> ServeAsync(
        string device, VfioUserEndpoint endpoint, DeviceOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>All that a bug report should hold. Asks no driver anything and changes nothing.</summary>
    HostDescription Describe();
}
