using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(MissingDependencyDriver))]

namespace Vfio.TestPlugins;

public sealed class MissingDependencyDriver : VariantDriver
{
    public override string Name => "missing-vfio-pci";

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1, Device = 2 }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => ValueTask.FromResult(ProbeResult.Degraded(new VfioPciDevice(context.Core), PrivateDependency.Greeting));
}
