using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Vfio.Hosting;
using Vfio.Simulation;
using Vfio.Tool.Output;

namespace Vfio.Tool;

/// <summary>A started host, composed as the command line says.</summary>
internal sealed class Session : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    private Session(ServiceProvider services)
    {
        _services = services;
        Host = services.GetRequiredService<IVfioHost>();
    }

    public IVfioHost Host { get; }

    public static async Task<Session> StartAsync(
        ParseResult parsed,
        GlobalOptions options,
        Terminal terminal,
        LogLevel level,
        SimulationOptions? simulation,
        CancellationToken cancellationToken)
    {
        var remotes = parsed.GetValue(options.Remote) ?? [];
        // The embedded topology is what there is when nothing is named.
        var topology = parsed.GetValue(options.Topology) is { } file ? Topologies.Read(file)
            : remotes.Length == 0 ? TopologyDefinition.Default
            : null;
        var services = new ServiceCollection();
        services.AddLogging(logging => logging
            .SetMinimumLevel(parsed.GetValue(options.Verbose) ? LogLevel.Debug : level)
            .AddProvider(new ErrorLog(terminal.Error)));
        var builder = services.AddVfio();
        if (topology is not null)
            builder.AddSimulation(topology, simulation);
        foreach (var socket in remotes)
            builder.AddVfioUser(socket.Length > 0 ? socket : throw new UsageException("--remote: a socket's path is not empty"));
        var beside = Path.Combine(AppContext.BaseDirectory, "plugins");
        if (Directory.Exists(beside))
            builder.AddPlugins(beside);
        foreach (var directory in parsed.GetValue(options.Plugins) ?? [])
            builder.AddPlugins(directory);
        var session = new Session(services.BuildServiceProvider());
        try
        {
            await session.Host.StartAsync(cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch
        {
            await session.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
