namespace Vfio.Hosting;

/// <summary>How a host treats drivers and plugins.</summary>
public sealed class VfioHostOptions
{
    /// <summary>Directories that hold one folder for each plugin, in load order.</summary>
    public IList<string> PluginDirectories { get; } = [];

    /// <summary>Whether plugins are loaded so that they could be unloaded; costs speed. False by default.</summary>
    public bool UnloadablePlugins { get; set; }

    /// <summary>
    /// Whether the generic driver takes functions whose errata an untrusted user could exploit, which the kernel's refuses
    /// (<c>disable_denylist</c>). False by default.
    /// </summary>
    public bool DisableDenylist { get; set; }

    /// <summary>How long a driver may take to be created, or to look at a function, before it is skipped. 5 seconds by default.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a device may take to open, reset or close before it is taken for broken. 30 seconds by default.</summary>
    public TimeSpan OperationTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a server of <c>AddVfioServer</c> that stops asks its client to give the device back, by the request index, before it
    /// disconnects it; no longer than the application's own stop may take. At most a day. Zero, the default: it is disconnected at once.
    /// </summary>
    public TimeSpan ReleaseTimeout { get; set; }
}
