using Microsoft.Extensions.Hosting;
using Vfio.User;

namespace Vfio.Hosting;

/// <summary>Serves one function from the application's start to its stop. The start fails if the function cannot be served.</summary>
internal sealed class VfioServerService(IVfioHost host, string function, VfioUserEndpoint endpoint, DeviceOptions? options) : IHostedService
{
    private ServedDevice? _served;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await host.StartAsync(cancellationToken).ConfigureAwait(false);
        _served = await host.ServeAsync(host.Find(function).Address, endpoint, options, cancellationToken).ConfigureAwait(false);
    }

    public Task StopAsync(CancellationToken cancellationToken) => _served?.DisposeAsync().AsTask() ?? Task.CompletedTask;
}
