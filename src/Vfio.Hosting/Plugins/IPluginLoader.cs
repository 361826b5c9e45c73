using System.Reflection;

namespace Vfio.Hosting.Plugins;

/// <summary>
/// Loads one plugin assembly, apart from all others. The shape is that of McMaster.NETCore.Plugins' <c>PluginLoader</c>, so that an adapter
/// over it is
/// a file of a few lines.
/// </summary>
public interface IPluginLoader : IDisposable
{
    /// <summary>Whether <see cref="IDisposable.Dispose"/> unloads the plugin's assemblies, and <see cref="Reload"/> works.</summary>
    bool IsUnloadable { get; }

    /// <summary>Raised after a reload: what was obtained from the former assembly is to be dropped.</summary>
    event EventHandler? Reloaded;

    /// <summary>Loads the plugin's main assembly.</summary>
    /// <exception cref="IOException">It, or something that it needs, is not there or not an assembly.</exception>
    Assembly LoadDefaultAssembly();

    /// <summary>Loads an assembly as the plugin sees it.</summary>
    /// <param name="assemblyName">Its name.</param>
    /// <exception cref="IOException">It is neither shared nor in the plugin's folder.</exception>
    Assembly LoadAssembly(AssemblyName assemblyName);

    /// <summary>Drops the assemblies that were loaded and starts anew from the files.</summary>
    /// <exception cref="InvalidOperationException">The loader is not unloadable.</exception>
    void Reload();
}

/// <summary>What a loader is to load, and what the plugin shares with its host.</summary>
public sealed record PluginLoaderConfig
{
    /// <summary>The main assembly: an absolute path.</summary>
    public required string MainAssemblyPath { get; init; }

    /// <summary>
    /// The assemblies that the host and the plugin have in common, by simple name. They come from the host or not at all: a copy in the
    /// plugin's folder
    /// is not looked at. The runtime's own assemblies are always shared.
    /// </summary>
    public IReadOnlyCollection<string> SharedAssemblies { get; init; } = PluginContract.SharedAssemblies;

    /// <summary>Whether the plugin can be unloaded. It then runs about half as fast: the runtime optimizes collectible code less.</summary>
    public bool IsUnloadable { get; init; }
}

/// <summary>Creates loaders. Register another one to load plugins in another way.</summary>
public interface IPluginLoaderFactory
{
    /// <summary>Creates a loader; nothing is loaded yet.</summary>
    /// <param name="config">What to load.</param>
    IPluginLoader Create(PluginLoaderConfig config);
}
