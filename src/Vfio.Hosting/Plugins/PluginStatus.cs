namespace Vfio.Hosting.Plugins;

/// <summary>A plugin folder, and what became of it. Made for people and for JSON.</summary>
public sealed record PluginStatus
{
    /// <summary>The plugin's id: the folder's name.</summary>
    public required string Id { get; init; }

    /// <summary>The folder.</summary>
    public required string Folder { get; init; }

    /// <summary>What became of it.</summary>
    public required PluginState State { get; init; }

    /// <summary>Why it was refused, and what to do; null for a loaded plugin.</summary>
    public string? Reason { get; init; }

    /// <summary>The plugin's own version; null if its manifest could not be read.</summary>
    public string? Version { get; init; }

    /// <summary>The contract version that it was written for; null if its manifest could not be read.</summary>
    public string? Contract { get; init; }

    /// <summary>The entry assembly's file name; null if its manifest could not be read.</summary>
    public string? Entry { get; init; }

    /// <summary>What it says of itself.</summary>
    public string? Description { get; init; }

    /// <summary>Its drivers, as its manifest names them.</summary>
    public IReadOnlyList<PluginDriver> Drivers { get; init; } = [];
}

/// <summary>A driver that a plugin's manifest names.</summary>
/// <param name="Name">The driver's name.</param>
/// <param name="Ids">What it matches, as aliases.</param>
public sealed record PluginDriver(string Name, IReadOnlyList<string> Ids);

/// <summary>What became of a plugin folder.</summary>
public enum PluginState
{
    /// <summary>Its drivers take part in matching.</summary>
    Loaded,

    /// <summary>None of its drivers takes part; see the reason.</summary>
    Refused,
}
