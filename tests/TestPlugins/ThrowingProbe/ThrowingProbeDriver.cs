using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(ThrowingProbeDriver))]

namespace Vfio.TestPlugins;

public sealed class ThrowingProbeDriver : VariantDriver
{
    public override string Name => "throwing-probe-vfio-pci";

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1, Device = 4 }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => throw new InvalidOperationException("the firmware has no manners");
}
