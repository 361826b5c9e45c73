using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(ThrowingConstructorDriver))]

namespace Vfio.TestPlugins;

public sealed class ThrowingConstructorDriver : VariantDriver
{
    public ThrowingConstructorDriver() => throw new InvalidOperationException("no licence found\nand no second line is shown");

    public override string Name => "throwing-constructor-vfio-pci";

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1, Device = 3 }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => throw new NotSupportedException();
}
