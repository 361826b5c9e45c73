using Microsoft.Extensions.Diagnostics.HealthChecks;
using Vfio.Hosting.Plugins;

namespace Vfio.Hosting;

/// <summary>Unhealthy while a device is broken; degraded while a plugin is refused or a device in use lacks something.</summary>
internal sealed class VfioHealthCheck(IVfioHost host) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var state = host.Describe();
        var broken = state.Functions.Where(f => f.Device?.Fault is not null).Select(f => $"{f.Address}: {f.Device!.Fault}")
            .Concat(state.MediatedDevices
                .Where(d => (d.Reason ?? d.Device?.Fault) is not null)
                .Select(d => $"{d.Name}: {d.Reason ?? d.Device!.Fault}"))
            .ToList();
        if (broken.Count > 0)
            return Task.FromResult(HealthCheckResult.Unhealthy(string.Join("; ", broken)));
        var lacking = state.Plugins.Where(p => p.State == PluginState.Refused).Select(p => $"plugin {p.Id}: {p.Reason}")
            .Concat(state.Functions.Where(f => f.Device is { Use: not null, Degraded: not null }).Select(f => $"{f.Address}: {f.Device!.Degraded}"))
            .ToList();
        return Task.FromResult(lacking.Count > 0 ? HealthCheckResult.Degraded(string.Join("; ", lacking)) : HealthCheckResult.Healthy());
    }
}
