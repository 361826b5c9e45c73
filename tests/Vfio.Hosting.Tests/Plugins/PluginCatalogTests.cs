using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Hosting.Plugins;

namespace Vfio.Hosting.Tests;

public sealed class PluginCatalogTests
{
    private const string SomeManifest = """
        { "id": "x", "version": "1.0", "entry": "x.dll", "contract": "0.1", "drivers": [ { "name": "x", "ids": [ "vfio_pci:v*d*sv*sd*bc*sc*i*" ] } ] }
        """;

    [Fact]
    public async Task A_good_plugin_is_loaded_with_what_its_manifest_says()
    {
        using var folder = new PluginFolder().Add("good");
        var plugin = Assert.Single(await LoadAsync(folder));

        Assert.Null(plugin.Status.Reason);
        Assert.Equal(PluginState.Loaded, plugin.Status.State);
        Assert.Equal("good", plugin.Status.Id);
        Assert.Equal("0.1.0", plugin.Status.Version);
        Assert.Equal(VfioContract.Version.ToString(), plugin.Status.Contract);
        Assert.Equal("Vfio.TestPlugin.Good.dll", plugin.Status.Entry);
        Assert.Equal("Binds; ships a dependency of its own; with a semicolon in it.", plugin.Status.Description);
        Assert.Equal("good-vfio-pci", Assert.Single(plugin.Drivers).Name);
    }

    [Fact]
    public async Task A_plugin_runs_in_a_context_of_its_own_with_the_hosts_contract()
    {
        using var folder = new PluginFolder().Add("good");
        var driver = (await LoadAsync(folder)).Single().Drivers.Single().Inner;

        Assert.NotSame(System.Runtime.Loader.AssemblyLoadContext.Default, ContextOf(driver));
        Assert.Same(typeof(VariantDriver), driver.GetType().BaseType);
        var result = await driver.ProbeAsync(Context(), TestContext.Current.CancellationToken);
        Assert.Equal("from a dependency of its own", result.Reason);
    }

    [Fact]
    public async Task A_copy_of_the_contract_beside_a_plugin_is_not_looked_at()
    {
        using var folder = new PluginFolder().Add("private-copy");
        Assert.True(File.Exists(Path.Combine(folder.Path, "private-copy", "Vfio.Abstractions.dll")));
        var driver = (await LoadAsync(folder)).Single().Drivers.Single().Inner;

        Assert.Same(typeof(VariantDriver), driver.GetType().BaseType);
        Assert.DoesNotContain(
            ContextOf(driver).Assemblies, a => a.GetName().Name is "Vfio.Abstractions" or "Microsoft.Extensions.Logging.Abstractions");
    }

    [Fact]
    public void A_shared_assembly_that_the_host_lacks_is_not_taken_from_the_plugins_folder()
    {
        using var folder = new PluginFolder().Add("good");
        var config = new PluginLoaderConfig
        {
            MainAssemblyPath = Path.Combine(folder.Path, "good", "Vfio.TestPlugin.Good.dll"),
            SharedAssemblies = [.. PluginContract.SharedAssemblies, "Vfio.TestPlugin.Dependency"],
        };
        using var loader = new PluginLoaderFactory().Create(config);

        Assert.ThrowsAny<IOException>(() => loader.LoadAssembly(new("Vfio.TestPlugin.Dependency")));
    }

    [Fact]
    public void An_assembly_of_the_host_that_is_not_shared_is_not_seen_by_a_plugin()
    {
        using var folder = new PluginFolder().Add("good");
        using var loader = new PluginLoaderFactory().Create(
            new() { MainAssemblyPath = Path.Combine(folder.Path, "good", "Vfio.TestPlugin.Good.dll") });

        Assert.ThrowsAny<IOException>(() => loader.LoadAssembly(typeof(IVfioHost).Assembly.GetName()));
    }

    [Fact]
    public async Task Each_bad_plugin_is_a_row_with_its_reason_and_the_good_one_lives()
    {
        using var folder = new PluginFolder()
            .Add("good").Add("missing-dependency").Add("other-major").Add("throwing-constructor").Add("wrong-type")
            .Add("newer", "good").Edit(
                "newer", "\"contract\": \"0.1\"", "\"contract\": \"0.99\", \"colour\": 1").Edit("newer", "\"good\"", "\"newer\"")
            .Add("later", "good").Edit("later", "\"contract\": \"0.1\"", "\"contract\": \"7.0\"").Edit("later", "\"good\"", "\"later\"")
            .Write(
                "no-assembly",
                "vfio-plugin.json",
                SomeManifest.Replace("\"x\", \"version\"", "\"no-assembly\", \"version\"", StringComparison.Ordinal))
            .Write("no-assembly", "x.dll", "MZ, but not much more than that")
            .Write("empty", "readme.txt", "hello");
        var rows = (await LoadAsync(folder)).ToDictionary(p => p.Status.Id, p => p.Status);

        Assert.Equal(9, rows.Count);
        Assert.Equal(PluginState.Loaded, rows["good"].State);
        AssertRefused(rows["missing-dependency"], "needs Vfio.TestPlugin.Dependency 0.0.0.0, which is not in the plugin's folder");
        AssertRefused(rows["other-major"], "compiled against Vfio.Abstractions 1.0.0.0");
        AssertRefused(rows["throwing-constructor"], "threw InvalidOperationException: no licence found");
        Assert.All(rows.Values, row => Assert.DoesNotContain('\n', row.Reason ?? string.Empty));
        AssertRefused(rows["wrong-type"], "Vfio.TestPlugins.NotADriver, which is no VariantDriver");
        AssertRefused(rows["newer"], "written for contract 0.99, this host has 0.1: a later one");
        AssertRefused(rows["later"], "written for contract 7.0, this host has 0.1: another major version");
        AssertRefused(rows["no-assembly"], "x.dll is not a .NET assembly");
        AssertRefused(rows["empty"], "the folder has no vfio-plugin.json");
    }

    [Theory]
    [InlineData("{ \"id\": \"x\",\n  \"version\": }", "vfio-plugin.json, line 2:")]
    [InlineData("{ \"contract\": \"0.1\",\n \"id\": \"x\",\n \"colour\": 1 }", "vfio-plugin.json, line 3:")]
    [InlineData("{ \"contract\": \"0.1\", \"id\": \"x\" }", "vfio-plugin.json, line 1:")]
    [InlineData("{ \"contract\": 1 }", "'contract' must be the version")]
    [InlineData("[]", "'contract' must be the version")]
    [InlineData("", "vfio-plugin.json, line 1:")]
    public async Task A_bad_manifest_is_refused_with_the_line(string text, string reason)
    {
        using var folder = new PluginFolder().Write("x", "vfio-plugin.json", text);
        AssertRefused(Assert.Single(await LoadAsync(folder)).Status, reason);
    }

    [Theory]
    [InlineData("\"entry\": \"x.dll\"", "\"entry\": \"../good/Vfio.TestPlugin.Good.dll\"", "must be the name of a file in the plugin's folder")]
    [InlineData("\"entry\": \"x.dll\"", "\"entry\": \"/etc/passwd\"", "must be the name of a file in the plugin's folder")]
    [InlineData("\"entry\": \"x.dll\"", "\"entry\": \"..\"", "must be the name of a file in the plugin's folder")]
    [InlineData("\"entry\": \"x.dll\"", "\"entry\": \"y.dll\"", "entry 'y.dll' is not in the plugin's folder")]
    [InlineData("\"id\": \"x\"", "\"id\": \"y\"", "id is 'y', but the folder is 'x'")]
    [InlineData("vfio_pci:v*d*", "vfio_pci:w*d*", "is not an alias")]
    [InlineData("\"name\": \"x\"", "\"name\": \" \"", "a driver has no name")]
    public async Task A_manifest_that_points_elsewhere_is_refused(string old, string replacement, string reason)
    {
        using var folder = new PluginFolder().Write(
            "x", "vfio-plugin.json", SomeManifest.Replace(old, replacement, StringComparison.Ordinal));
        AssertRefused(Assert.Single(await LoadAsync(folder)).Status, reason);
    }

    [Fact]
    public async Task An_entry_that_is_a_link_out_of_the_folder_is_refused()
    {
        using var folder = new PluginFolder().Add("good").Write("x", "vfio-plugin.json", SomeManifest);
        File.CreateSymbolicLink(Path.Combine(folder.Path, "x", "x.dll"), Path.Combine(folder.Path, "good", "Vfio.TestPlugin.Good.dll"));
        AssertRefused((await LoadAsync(folder))[1].Status, "outside the plugin's folder");
    }

    [Fact]
    public async Task The_second_plugin_with_a_drivers_name_is_refused()
    {
        using var folder = new PluginFolder().Add("good").Add("hello", "good").Edit("hello", "\"good\"", "\"hello\"");
        var plugins = await LoadAsync(folder);

        Assert.Equal(PluginState.Loaded, plugins[0].Status.State);
        AssertRefused(plugins[1].Status, "driver name 'good-vfio-pci' is taken by plugin good");
    }

    [Fact]
    public async Task A_manifest_that_has_drifted_from_its_driver_is_refused()
    {
        using var folder = new PluginFolder().Add("good").Edit("good", "v0000F1F1", "v0000ABCD");
        AssertRefused(Assert.Single(await LoadAsync(folder)).Status, "build the manifest anew");
    }

    [Fact]
    public async Task A_directory_that_does_not_exist_is_a_fault_of_the_set_up()
    {
        var error = await Assert.ThrowsAsync<VfioException>(() => LoadAsync("/nowhere/plugins"));
        Assert.Equal(Errno.ENOENT, error.Error);
    }

    private static Task<IReadOnlyList<LoadedPlugin>> LoadAsync(PluginFolder folder) => LoadAsync(folder.Path);

    private static Task<IReadOnlyList<LoadedPlugin>> LoadAsync(string directory)
        => new PluginCatalog(new PluginLoaderFactory(), TimeProvider.System, NullLogger<PluginCatalog>.Instance).LoadAsync(
            [directory], false, TimeSpan.FromSeconds(30), new Dictionary<string, string>(), TestContext.Current.CancellationToken);

    private static System.Runtime.Loader.AssemblyLoadContext ContextOf(VariantDriver driver)
        => System.Runtime.Loader.AssemblyLoadContext.GetLoadContext(driver.GetType().Assembly)!;

    private static ProbeContext Context()
        => new() { Core = new FakeCore(), Controllers = new ControllerDirectory([]), Logger = NullLogger.Instance };

    private static void AssertRefused(PluginStatus row, string reason)
    {
        Assert.Equal(PluginState.Refused, row.State);
        Assert.Contains(reason, row.Reason, StringComparison.Ordinal);
    }
}
