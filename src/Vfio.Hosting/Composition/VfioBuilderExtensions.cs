using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Vfio.Simulation;
using Vfio.User;

namespace Vfio.Hosting;

/// <summary>What can be added to a host.</summary>
public static class VfioBuilderExtensions
{
    /// <summary>Adds simulated functions.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="definition">Which; null for the embedded topology.</param>
    /// <param name="options">How they are driven; null for the defaults.</param>
    public static IVfioBuilder AddSimulation(
        this IVfioBuilder builder, TopologyDefinition? definition = null, SimulationOptions? options = null)
    {
        builder.Services.AddSingleton<IFunctionSource>(provider => new SimulatedTopology(
            definition ?? TopologyDefinition.Default, options, provider.GetService<ILoggerFactory>()));
        return builder;
    }

    /// <summary>
    /// Adds a function that another process serves over vfio-user. Its address is <c>ffff:00:NN.0</c>, where NN counts the remote functions
    /// in the order in which they were added, from 0 (see <see cref="VfioUserFunctionSource"/>).
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="socketPath">The unix socket that the other process listens on; it must do so when the host starts.</param>
    /// <param name="options">How to speak to it; null for the defaults (<see cref="VfioUserRemote"/>).</param>
    public static IVfioBuilder AddVfioUser(this IVfioBuilder builder, string socketPath, VfioUserClientOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(socketPath);
        builder.Services.AddSingleton(new VfioUserRemote(socketPath, options));
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IFunctionSource, VfioUserFunctionSource>(provider =>
            new(provider.GetServices<VfioUserRemote>(), provider.GetService<ILoggerFactory>())));
        return builder;
    }

    /// <summary>Adds functions of another source.</summary>
    /// <typeparam name="TSource">The source.</typeparam>
    /// <param name="builder">The builder.</param>
    public static IVfioBuilder AddFunctions<TSource>(this IVfioBuilder builder)
        where TSource : class, IFunctionSource
    {
        builder.Services.AddSingleton<IFunctionSource, TSource>();
        return builder;
    }

    /// <summary>Adds the plugins of a directory: one folder for each, with a manifest in it.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="directory">The directory; it must exist when the host starts.</param>
    public static IVfioBuilder AddPlugins(this IVfioBuilder builder, string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        builder.Services.Configure<VfioHostOptions>(options => options.PluginDirectories.Add(directory));
        return builder;
    }

    /// <summary>Adds a driver that the host links; nothing is loaded for it. It comes before every plugin's.</summary>
    /// <typeparam name="TDriver">The driver; its constructor may take services.</typeparam>
    /// <param name="builder">The builder.</param>
    public static IVfioBuilder AddDriver<TDriver>(this IVfioBuilder builder)
        where TDriver : VariantDriver
    {
        builder.Services.AddSingleton<VariantDriver, TDriver>();
        return builder;
    }

    /// <summary>Adds a software-mediated device: one with no PCI function under it. The host guards it as it guards a driver's.</summary>
    /// <typeparam name="TDevice">The device; its constructor may take services.</typeparam>
    /// <param name="builder">The builder.</param>
    /// <param name="name">The name that it is opened and served by; unique in the host.</param>
    public static IVfioBuilder AddDevice<TDevice>(this IVfioBuilder builder, string name)
        where TDevice : VfioDevice
        => builder.AddDevice(name, static provider => ActivatorUtilities.CreateInstance<TDevice>(provider));

    /// <summary>Adds a software-mediated device: one with no PCI function under it. The host guards it as it guards a driver's.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="name">The name that it is opened and served by; unique in the host.</param>
    /// <param name="create">Makes it: when the host starts, and again for the next user once it has broken.</param>
    public static IVfioBuilder AddDevice(this IVfioBuilder builder, string name, Func<IServiceProvider, VfioDevice> create)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        builder.Services.AddSingleton(new MediatedDeviceRegistration(name, create));
        return builder;
    }

    /// <summary>Says how devices are served over vfio-user; without it, the defaults hold.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="options">How.</param>
    public static IVfioBuilder AddVfioUser(this IVfioBuilder builder, VfioUserServerOptions options)
    {
        builder.Services.AddSingleton(options);
        return builder;
    }

    /// <summary>Serves a function, or a mediated device, for as long as the application runs (an <see cref="IHostedService"/>).</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="function">The name of a mediated device, a function's address, or the unique end of one.</param>
    /// <param name="endpoint">Where.</param>
    /// <param name="options">How.</param>
    public static IVfioBuilder AddVfioServer(
        this IVfioBuilder builder, string function, VfioUserEndpoint endpoint, DeviceOptions? options = null)
    {
        // Not AddHostedService: that keeps one of a type, and there is one of these for each function.
        builder.Services.AddSingleton<IHostedService>(
            provider => ActivatorUtilities.CreateInstance<VfioServerService>(provider, new ServedFunction(function, endpoint, options)));
        return builder;
    }

    /// <summary>Adds a health check named <c>vfio</c>: unhealthy while a device is broken, degraded while a plugin is refused.</summary>
    /// <param name="builder">The builder.</param>
    public static IVfioBuilder AddHealthCheck(this IVfioBuilder builder)
    {
        builder.Services.AddHealthChecks().AddCheck<VfioHealthCheck>("vfio");
        return builder;
    }
}
