namespace Vfio.Hosting.Plugins;

/// <summary>The runtime's own assemblies: every plugin shares them, also where a package of the same name lies in its folder.</summary>
internal static class RuntimeAssemblies
{
    private static readonly string Folder = Path.GetDirectoryName(typeof(object).Assembly.Location) ?? string.Empty;

    public static bool Contains(string name) => Folder.Length > 0 && File.Exists(Path.Combine(Folder, name + ".dll"));
}
