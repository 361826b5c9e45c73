using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Vfio.Hosting.Plugins;

namespace Vfio.Hosting;

/// <summary>Adds Vfio to a host's services.</summary>
public static class VfioServiceCollectionExtensions
{
    /// <summary>
    /// Adds an <see cref="IVfioHost"/>. It starts when it is first asked for something, or with <see cref="IVfioHost.StartAsync"/>.
    /// </summary>
    /// <param name="services">The services. Dispose the provider asynchronously: devices close on the way.</param>
    /// <param name="configure">Changes the options.</param>
    /// <returns>What to add sources, drivers and plugins to.</returns>
    public static IVfioBuilder AddVfio(this IServiceCollection services, Action<VfioHostOptions>? configure = null)
    {
        services.AddOptions<VfioHostOptions>()
            .Validate(o => o.ProbeTimeout > TimeSpan.Zero, "ProbeTimeout must be positive")
            .Validate(o => o.OperationTimeout > TimeSpan.Zero, "OperationTimeout must be positive")
            .Validate(
                o => o.ReleaseTimeout >= TimeSpan.Zero && o.ReleaseTimeout <= TimeSpan.FromDays(1), "ReleaseTimeout must be 0 to a day");
        if (configure is not null)
            services.Configure(configure);
        services.AddLogging();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IPluginLoaderFactory, PluginLoaderFactory>();
        services.TryAddSingleton<PluginCatalog>();
        services.TryAddSingleton<IVfioHost>(provider => ActivatorUtilities.CreateInstance<VfioHost>(provider));
        return new VfioBuilder(services);
    }

    private sealed class VfioBuilder(IServiceCollection services) : IVfioBuilder
    {
        public IServiceCollection Services { get; } = services;
    }
}
