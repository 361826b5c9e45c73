using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(PrivateCopyDriver))]

namespace Vfio.TestPlugins;

public sealed class PrivateCopyDriver : VariantDriver
{
    public override string Name => "private-copy-vfio-pci";

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1, Device = 7 }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => ValueTask.FromResult(ProbeResult.Bound(new VfioPciDevice(context.Core)));
}
