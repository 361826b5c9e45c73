using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Vfio.User;

namespace Vfio.Hosting;

/// <summary>What a service serves.</summary>
internal sealed record ServedFunction(string Function, VfioUserEndpoint Endpoint, DeviceOptions? Options);

/// <summary>Serves one function from the application's start to its stop. The start fails if the function cannot be served.</summary>
internal sealed class VfioServerService(IVfioHost host, ServedFunction what, IOptions<VfioHostOptions> options, TimeProvider time)
    : IHostedService
{
    private ServedDevice? _served;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await host.StartAsync(cancellationToken).ConfigureAwait(false);
        var serving = host.MediatedDevices.Any(d => d.Name == what.Function)
            ? host.ServeAsync(what.Function, what.Endpoint, what.Options, cancellationToken)
            : host.ServeAsync(host.Find(what.Function).Address, what.Endpoint, what.Options, cancellationToken);
        _served = await serving.ConfigureAwait(false);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_served is null)
            return;
        if (options.Value.ReleaseTimeout > TimeSpan.Zero)
        {
            using var patience = new CancellationTokenSource(options.Value.ReleaseTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
            await _served.ReclaimAsync(either.Token).ConfigureAwait(false);
        }

        await _served.DisposeAsync().ConfigureAwait(false);
    }
}
