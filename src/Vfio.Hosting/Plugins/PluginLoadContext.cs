using System.Reflection;
using System.Runtime.Loader;

namespace Vfio.Hosting.Plugins;

/// <summary>
/// A plugin's own assemblies, and the shared ones from the host. Strict: there is no third place that an assembly could come from.
/// </summary>
internal sealed class PluginLoadContext : AssemblyLoadContext
{
    private readonly PluginLoaderConfig _config;
    private readonly AssemblyDependencyResolver _resolver;
    private readonly AssemblyLoadContext _host;

    public PluginLoadContext(PluginLoaderConfig config)
        : base($"plugin {Path.GetFileNameWithoutExtension(config.MainAssemblyPath)}", config.IsUnloadable)
    {
        _config = config;
        _resolver = Resolver(config);
        _host = GetLoadContext(typeof(VfioContract).Assembly) ?? Default;
    }

    /// <summary>Tells whether an assembly could be loaded, without a context to load it into.</summary>
    public static Func<string, bool> Availability(PluginLoaderConfig config)
    {
        var resolver = Resolver(config);
        return name => IsShared(config, name) || resolver.ResolveAssemblyToPath(new AssemblyName(name)) is not null;
    }

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        var name = assemblyName.Name ?? string.Empty;

        // A null answer would send the runtime to the host's context, which holds more than what is shared; a thrown one does not.
        if (IsShared(_config, name))
            return _host.LoadFromAssemblyName(assemblyName);
        if (_resolver.ResolveAssemblyToPath(assemblyName) is { } path)
            return LoadFromAssemblyPath(path);
        return string.IsNullOrEmpty(assemblyName.CultureName)
            ? throw new FileNotFoundException($"{assemblyName} is neither shared with the host nor in the folder of {Name}", name)
            : null;
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName)
        => _resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } path ? LoadUnmanagedDllFromPath(path) : 0;

    private static bool IsShared(PluginLoaderConfig config, string name)
        => config.SharedAssemblies.Contains(name) || RuntimeAssemblies.Contains(name);

    private static AssemblyDependencyResolver Resolver(PluginLoaderConfig config)
    {
        try
        {
            return new(config.MainAssemblyPath);
        }
        catch (InvalidOperationException e)
        {
            throw new IOException(
                $"the dependencies of {Path.GetFileName(config.MainAssemblyPath)} cannot be read from its .deps.json: {e.Message}", e);
        }
    }
}
