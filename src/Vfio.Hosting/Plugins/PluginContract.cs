namespace Vfio.Hosting.Plugins;

/// <summary>What a plugin and its host have in common.</summary>
public static class PluginContract
{
    /// <summary>The manifest's file name.</summary>
    public const string ManifestFile = "vfio-plugin.json";

    /// <summary>The assembly that every plugin compiles against.</summary>
    public const string Assembly = "Vfio.Abstractions";

    /// <summary>
    /// The assemblies whose types the contract's signatures name, beyond the runtime's own. A type of one of these must be the same type on
    /// both sides,
    /// so they come from the host or not at all.
    /// </summary>
    public static IReadOnlyCollection<string> SharedAssemblies { get; } =
    [
        Assembly,
        "Vfio.Native",
        "Microsoft.Extensions.Logging.Abstractions",
        "Microsoft.Extensions.DependencyInjection.Abstractions",
        "System.IO.Pipelines",
    ];
}
