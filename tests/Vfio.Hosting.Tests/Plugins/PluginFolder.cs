namespace Vfio.Hosting.Tests;

/// <summary>A directory of plugin folders, made of those that the build laid out, gone when the test ends.</summary>
internal sealed class PluginFolder : IDisposable
{
    private static readonly string Built = System.IO.Path.Combine(AppContext.BaseDirectory, "plugins");

    public string Path { get; } = Directory.CreateTempSubdirectory("vfio-plugins-").FullName;

    public PluginFolder Add(string id, string? from = null)
    {
        var target = Directory.CreateDirectory(System.IO.Path.Combine(Path, id)).FullName;
        foreach (var file in Directory.GetFiles(System.IO.Path.Combine(Built, from ?? id)))
            File.Copy(file, System.IO.Path.Combine(target, System.IO.Path.GetFileName(file)));
        return this;
    }

    public PluginFolder Write(string id, string file, string text)
    {
        Directory.CreateDirectory(System.IO.Path.Combine(Path, id));
        File.WriteAllText(System.IO.Path.Combine(Path, id, file), text);
        return this;
    }

    /// <summary>Changes a manifest that was laid out.</summary>
    public PluginFolder Edit(string id, string old, string replacement)
    {
        var manifest = System.IO.Path.Combine(Path, id, "vfio-plugin.json");
        var text = File.ReadAllText(manifest);
        Assert.Contains(old, text, StringComparison.Ordinal);
        File.WriteAllText(manifest, text.Replace(old, replacement, StringComparison.Ordinal));
        return this;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
