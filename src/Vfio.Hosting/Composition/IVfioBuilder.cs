using Microsoft.Extensions.DependencyInjection;

namespace Vfio.Hosting;

/// <summary>Adds to a host: sources of functions, drivers, plugins.</summary>
public interface IVfioBuilder
{
    /// <summary>Where the host is composed.</summary>
    IServiceCollection Services { get; }
}
