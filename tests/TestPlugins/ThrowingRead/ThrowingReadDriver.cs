using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(ThrowingReadDriver))]

namespace Vfio.TestPlugins;

public sealed class ThrowingReadDriver : VariantDriver
{
    public override string Name => "throwing-read-vfio-pci";

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1, Device = 6 }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => ValueTask.FromResult(ProbeResult.Bound(new ThrowingReadDevice(context.Core)));

    private sealed class ThrowingReadDevice(IVfioPciCore core) : VfioPciDevice(core)
    {
        public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
            => throw new InvalidOperationException("a table that was never filled");
    }
}
