namespace Vfio.Core;

/// <summary>
/// The driver of functions that no variant knows: what the core does, and nothing else. Its one entry has seven wildcards and is
/// override-only, like the kernel's <c>vfio-pci</c>, so that it comes after every variant. Thread-safe.
/// </summary>
public sealed class GenericDriver : VariantDriver
{
    /// <inheritdoc/>
    public override string Name => "vfio-pci";

    /// <inheritdoc/>
    public override IReadOnlyList<PciIdMatch> Ids { get; } = [PciIdMatch.Any];

    /// <inheritdoc/>
    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => ValueTask.FromResult(ProbeResult.Bound(new VfioPciDevice(context.Core)));
}
