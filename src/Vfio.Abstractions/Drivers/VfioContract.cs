namespace Vfio;

/// <summary>The version of this contract. A plugin's manifest says which it was written for.</summary>
public static class VfioContract
{
    /// <summary>Major: a plugin of another major is refused. Minor: a plugin of a later minor is refused.</summary>
    public static Version Version { get; } = new(0, 1);
}
