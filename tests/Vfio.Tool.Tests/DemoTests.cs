namespace Vfio.Tool.Tests;

public sealed class DemoTests
{
    [Fact]
    public async Task The_demo_holds_every_fact_that_it_states()
    {
        var result = await Cli.RunAsync("demo");
        Assert.Equal(string.Empty, result.Error);
        Assert.Equal(0, result.Code);
        Assert.DoesNotContain("FAILED", result.Out, StringComparison.Ordinal);
        var facts = result.Out.Split('\n').Count(l => l.StartsWith("   ok ", StringComparison.Ordinal));
        Assert.Contains($"{facts} facts checked in", result.Out, StringComparison.Ordinal);
        Assert.True(facts >= 13);
    }

    [Fact]
    public async Task The_demo_fails_where_its_function_is_missing()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-tool-");
        try
        {
            var file = Path.Combine(directory.FullName, "topology.json");
            await File.WriteAllTextAsync(
                file,
                (await Cli.RunAsync("topology")).Out.Replace("\"online\": true", "\"online\": false", StringComparison.Ordinal),
                TestContext.Current.CancellationToken);
            var result = await Cli.RunAsync("demo", "--topology", file);
            Assert.Equal(1, result.Code);
            Assert.Contains("the demo failed", result.Error, StringComparison.Ordinal);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
