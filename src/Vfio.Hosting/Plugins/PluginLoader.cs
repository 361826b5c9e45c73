using System.Reflection;

namespace Vfio.Hosting.Plugins;

/// <summary>A loader over an <see cref="System.Runtime.Loader.AssemblyLoadContext"/> of its own. Thread-safe.</summary>
internal sealed class PluginLoader : IPluginLoader
{
    private readonly Lock _lock = new();
    private readonly PluginLoaderConfig _config;
    private PluginLoadContext _context;
    private bool _disposed;

    public PluginLoader(PluginLoaderConfig config)
    {
        _config = config;
        _context = new(config);
    }

    public event EventHandler? Reloaded;

    public bool IsUnloadable => _config.IsUnloadable;

    public Assembly LoadDefaultAssembly() => Context.LoadFromAssemblyPath(_config.MainAssemblyPath);

    public Assembly LoadAssembly(AssemblyName assemblyName) => Context.LoadFromAssemblyName(assemblyName);

    public void Reload()
    {
        if (!IsUnloadable)
            throw new InvalidOperationException("the plugin was loaded for good; set PluginLoaderConfig.IsUnloadable to reload it");
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _context.Unload();
            _context = new(_config);
        }

        Reloaded?.Invoke(this, EventArgs.Empty);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            if (IsUnloadable)
                _context.Unload();
        }
    }

    private PluginLoadContext Context
    {
        get
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return _context;
            }
        }
    }
}

/// <summary>Creates <see cref="PluginLoader"/>s.</summary>
internal sealed class PluginLoaderFactory : IPluginLoaderFactory
{
    public IPluginLoader Create(PluginLoaderConfig config) => new PluginLoader(config);
}
