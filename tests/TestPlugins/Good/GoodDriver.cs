using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(GoodDriver))]

namespace Vfio.TestPlugins;

public sealed class GoodDriver : VariantDriver
{
    public override string Name => "good-vfio-pci";

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1 }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => ValueTask.FromResult(ProbeResult.Degraded(new VfioPciDevice(context.Core), PrivateDependency.Greeting));
}
