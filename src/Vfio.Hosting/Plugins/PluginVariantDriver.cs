namespace Vfio.Hosting.Plugins;

/// <summary>
/// A plugin's driver as the host knows it: name and ids are those that were checked when it was loaded, so that matching runs no code of
/// the plugin, and
/// only a probe, which is bounded, does.
/// </summary>
internal sealed class PluginVariantDriver(VariantDriver inner) : VariantDriver
{
    /// <summary>The plugin's own object.</summary>
    public VariantDriver Inner { get; } = inner;

    public override string Name { get; } = inner.Name ?? throw new PluginRefusedException($"{inner.GetType().FullName} has no name");

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [.. inner.Ids];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => Inner.ProbeAsync(context, cancellationToken);
}
