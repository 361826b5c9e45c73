namespace Vfio.Hosting.Plugins;

/// <summary>
/// A plugin folder that was looked at: its row, and its drivers if it was loaded. Disposing it unloads it, if it can be unloaded.
/// </summary>
internal sealed record LoadedPlugin(PluginStatus Status, IReadOnlyList<PluginVariantDriver> Drivers, IPluginLoader? Loader) : IDisposable
{
    public void Dispose() => Loader?.Dispose();
}
