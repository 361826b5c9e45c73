namespace Vfio.Lab.Qtest;

/// <summary>A folder for sockets inside the root that QEMU is confined to.</summary>
internal sealed class Sandbox : IDisposable
{
    private readonly string _folder;
    private int _sockets;

    /// <summary>Makes the folder.</summary>
    /// <param name="root">The lab's prepared root.</param>
    public Sandbox(string root)
    {
        Root = root.TrimEnd('/');
        _folder = Path.Combine(Root, "tmp", $"vfio-qtest-{Environment.ProcessId}");
        Directory.CreateDirectory(_folder);
    }

    /// <summary>The root.</summary>
    public string Root { get; }

    /// <summary>A path for a socket that does not exist yet, as this process sees it.</summary>
    public string NewSocket(string name) => Path.Combine(_folder, $"{name}-{_sockets++}.sock");

    /// <summary>A path as QEMU sees it.</summary>
    public string Inside(string path) => path[Root.Length..];

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
