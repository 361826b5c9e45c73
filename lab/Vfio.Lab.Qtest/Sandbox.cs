namespace Vfio.Lab.Qtest;

/// <summary>Where QEMU runs: the root that it is confined to, and a folder of ours that it sees in there.</summary>
/// <param name="Root">The lab's prepared root.</param>
/// <param name="Folder">The folder, as this process sees it.</param>
/// <param name="Seen">The folder, as QEMU sees it.</param>
internal sealed record Sandbox(string Root, string Folder, string Seen)
{
    private int _sockets;

    /// <summary>A path for a socket that does not exist yet, as this process sees it.</summary>
    internal string NewSocket(string name) => Path.Combine(Folder, $"{name}-{_sockets++}.sock");

    /// <summary>A path in the folder, as QEMU sees it.</summary>
    internal string Inside(string path) => Path.Combine(Seen, Path.GetRelativePath(Folder, path));
}
