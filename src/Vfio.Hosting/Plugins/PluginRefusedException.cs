namespace Vfio.Hosting.Plugins;

/// <summary>A plugin is not loaded; the message is the reason that its row shows.</summary>
internal sealed class PluginRefusedException(string reason, Exception? inner = null) : Exception(reason, inner);
