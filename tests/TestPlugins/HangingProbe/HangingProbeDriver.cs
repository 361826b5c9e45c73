using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(HangingProbeDriver))]

namespace Vfio.TestPlugins;

public sealed class HangingProbeDriver : VariantDriver
{
    public override string Name => "hanging-probe-vfio-pci";

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1, Device = 5 }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
    {
        // Deaf to its cancellation, and holding its thread: the worst that a driver can do short of ending the process.
        using var never = new ManualResetEventSlim();
        never.Wait(CancellationToken.None);
        throw new NotSupportedException();
    }
}
