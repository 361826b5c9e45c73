namespace Vfio.Core;

/// <summary>
/// The driver of functions that no variant knows: what the core does, and nothing else. Its one entry has seven wildcards and is
/// override-only, like the kernel's <c>vfio-pci</c>, so that it comes after every variant. Thread-safe.
/// </summary>
/// <param name="denylist">
/// Functions that it refuses, because known errata of theirs let an untrusted user harm the host; a variant that knows better may still
/// take them. Null for none.
/// </param>
public sealed class GenericDriver(IReadOnlyList<PciIdMatch>? denylist = null) : VariantDriver
{
    /// <inheritdoc/>
    public override string Name => "vfio-pci";

    /// <inheritdoc/>
    public override IReadOnlyList<PciIdMatch> Ids { get; } = [PciIdMatch.Any];

    /// <inheritdoc/>
    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
    {
        var id = context.Core.Function.Id;
        if (denylist is null || !denylist.Any(entry => entry.Matches(id)))
            return ValueTask.FromResult(ProbeResult.Bound(new VfioPciDevice(context.Core)));
        return ValueTask.FromResult(ProbeResult.Refused(
            $"{id.Vendor:x4}:{id.Device:x4} is on the denylist of functions whose errata an untrusted user could exploit"));
    }
}
