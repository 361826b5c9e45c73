using System.Text.Json;
using Vfio.Hosting.Plugins;

namespace Vfio.Hosting.Tests;

public sealed class ManifestBuildTests
{
    [Fact]
    public void The_build_writes_the_contract_version_that_the_contract_has()
    {
        var manifest = Path.Combine(AppContext.BaseDirectory, "plugins", "good", PluginContract.ManifestFile);
        using var json = JsonDocument.Parse(File.ReadAllText(manifest));
        Assert.Equal(VfioContract.Version.ToString(), json.RootElement.GetProperty("contract").GetString());
    }

    [Fact]
    public void Nothing_that_the_host_shares_is_laid_out_with_a_plugin()
    {
        var files = Directory.GetFiles(
            Path.Combine(AppContext.BaseDirectory, "plugins", "good"), "*.dll").Select(Path.GetFileNameWithoutExtension);
        Assert.Equal(["Vfio.TestPlugin.Dependency", "Vfio.TestPlugin.Good"], files.Order(StringComparer.Ordinal));
        Assert.DoesNotContain(files, PluginContract.SharedAssemblies.Contains);
    }

    [Fact]
    public void The_shared_assemblies_are_those_that_the_contracts_signatures_name()
    {
        var named = typeof(VfioContract).Assembly.GetExportedTypes()
            .SelectMany(t => t.GetMembers())
            .SelectMany(m => m switch
            {
                System.Reflection.MethodBase method => method.GetParameters().Select(p => p.ParameterType)
                    .Append((method as System.Reflection.MethodInfo)?.ReturnType ?? typeof(void)),
                System.Reflection.PropertyInfo property => [property.PropertyType],
                System.Reflection.FieldInfo field => [field.FieldType],
                _ => [],
            })
            .Select(t => t.Assembly.GetName().Name!)
            .Where(name => !RuntimeAssemblies.Contains(name))
            .ToHashSet(StringComparer.Ordinal);
        Assert.NotEmpty(named);
        Assert.Subset(PluginContract.SharedAssemblies.ToHashSet(StringComparer.Ordinal), named);
    }
}
