using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Vfio.Hosting;
using Vfio.User;

namespace Vfio.Samples;

/// <summary>A host with one mediated device, which it serves until it is told to end (SIGTERM, SIGINT) or its one client is gone.</summary>
internal static class SampleServer
{
    /// <summary>Serves.</summary>
    /// <param name="name">The device's name.</param>
    /// <param name="path">The socket's path.</param>
    /// <param name="create">Makes the device.</param>
    /// <param name="oneClient">Whether to end once the first client is gone.</param>
    /// <param name="verbose">Whether to tell on stderr what happens.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        string name, string path, Func<IServiceProvider, VfioDevice> create, bool oneClient, bool verbose)
    {
        using var stop = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        var services = new ServiceCollection();
        services.AddLogging(logging => logging
            .SetMinimumLevel(verbose ? LogLevel.Debug : LogLevel.Warning)
            .AddProvider(new ErrorLog(name)));
        services.AddVfio().AddDevice(name, create).AddVfioUser(new VfioUserServerOptions { EndAfterOneClient = oneClient });
        await using var provider = services.BuildServiceProvider();
        try
        {
            await using var served = await provider.GetRequiredService<IVfioHost>().ServeAsync(
                name, VfioUserEndpoint.Path(path), cancellationToken: stop.Token);
            await Console.Out.WriteLineAsync($"serving {name} on {path}");
            await served.Completion.WaitAsync(stop.Token);
            return 0;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        catch (VfioException e)
        {
            await Console.Error.WriteLineAsync($"{name}: {e.Message}");
            return 1;
        }

        void End(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }
}
