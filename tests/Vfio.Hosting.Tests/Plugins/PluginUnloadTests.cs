using System.Runtime.CompilerServices;
using Vfio.Hosting.Plugins;

namespace Vfio.Hosting.Tests;

public sealed class PluginUnloadTests
{
    [Fact]
    public void A_disposed_loader_lets_its_plugin_go()
    {
        using var folder = new PluginFolder().Add("good");
        var assembly = LoadAndDispose(folder);
        AssertGone(assembly);
    }

    [Fact]
    public void A_reload_lets_the_former_assembly_go_and_loads_another()
    {
        using var folder = new PluginFolder().Add("good");
        using var loader = new PluginLoaderFactory().Create(Config(folder, unloadable: true));
        var reloads = 0;
        loader.Reloaded += (_, _) => reloads++;

        var former = Load(loader);
        loader.Reload();
        AssertGone(former);
        Assert.Equal("Vfio.TestPlugin.Good", loader.LoadDefaultAssembly().GetName().Name);
        Assert.Equal(1, reloads);
    }

    [Fact]
    public void A_plugin_that_was_loaded_for_good_is_not_reloaded()
    {
        using var folder = new PluginFolder().Add("good");
        using var loader = new PluginLoaderFactory().Create(Config(folder, unloadable: false));
        Assert.Throws<InvalidOperationException>(loader.Reload);
        Assert.False(loader.LoadDefaultAssembly().IsCollectible);
    }

    // Not inlined: no local of the test may hold what must go.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference LoadAndDispose(PluginFolder folder)
    {
        using var loader = new PluginLoaderFactory().Create(Config(folder, unloadable: true));
        return Load(loader);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Load(IPluginLoader loader)
    {
        var assembly = loader.LoadDefaultAssembly();
        var driver = (VariantDriver)Activator.CreateInstance(assembly.GetType("Vfio.TestPlugins.GoodDriver")!)!;
        Assert.Equal("good-vfio-pci", driver.Name);
        return new(assembly);
    }

    private static void AssertGone(WeakReference assembly)
    {
        for (var i = 0; i < 20 && assembly.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(assembly.IsAlive);
    }

    private static PluginLoaderConfig Config(PluginFolder folder, bool unloadable)
        => new() { MainAssemblyPath = Path.Combine(folder.Path, "good", "Vfio.TestPlugin.Good.dll"), IsUnloadable = unloadable };
}
