namespace Vfio.Tool.Tests;

public sealed class TopologyTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vfio-tool-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task The_printed_topology_can_be_used_as_it_is()
    {
        var printed = await Cli.RunAsync("topology");
        var file = Write(printed.Out);
        Assert.Equal(0, (await Cli.RunAsync("topology", "--check", file)).Code);
        Assert.Equal((await Cli.RunAsync("list", "--json")).Out, (await Cli.RunAsync("list", "--json", "--topology", file)).Out);
    }

    [Fact]
    public async Task A_wrong_topology_is_refused_with_the_file_and_the_line()
    {
        var file = Write("{\n  \"models\": [\n    { \"model\": \"teapot\" }\n  ]\n}");
        (await Cli.RunAsync("topology", "--check", file)).AssertFailed(1, $"{file}(3)");
        (await Cli.RunAsync("list", "--topology", file)).AssertFailed(1, $"{file}(3)");
    }

    [Fact]
    public async Task An_offline_VF_is_listed_as_degraded_and_does_not_open()
    {
        var file = Write((await Cli.RunAsync("topology")).Out.Replace("\"online\": true", "\"online\": false", StringComparison.Ordinal));
        var vf = (await Cli.RunAsync("list", "--json", "--topology", file)).Json()[1];
        Assert.Equal("nvme-vfio-pci", vf.GetProperty("driver").GetString());
        Assert.StartsWith("offline: secondary controller 1", vf.GetProperty("reason").GetString(), StringComparison.Ordinal);

        var shown = await Cli.RunAsync("show", "00.1", "--topology", file);
        Assert.Equal(1, shown.Code);
        Assert.Contains("did not open it: offline: ", shown.Error, StringComparison.Ordinal);
        Assert.Contains("(ENODEV)", shown.Error, StringComparison.Ordinal);
    }

    private string Write(string json)
    {
        var file = Path.Combine(_directory.FullName, "topology.json");
        File.WriteAllText(file, json);
        return file;
    }
}
