using System.Text.Json;

namespace Vfio.Tool.Tests;

public sealed class ListTests
{
    [Fact]
    public async Task List_json_is_an_array_with_the_promised_members()
    {
        var result = await Cli.RunAsync("list", "--json");
        Assert.Equal(0, result.Code);
        var functions = result.Json().EnumerateArray().ToList();
        var pf = Assert.Single(functions, f => f.GetProperty("kind").GetString() == "PF");
        Assert.Equal(JsonValueKind.Null, pf.GetProperty("parent").ValueKind);
        Assert.Equal("vfio-pci", pf.GetProperty("driver").GetString());

        var vfs = functions.Where(f => f.GetProperty("kind").GetString() == "VF").ToList();
        Assert.NotEmpty(vfs);
        Assert.All(vfs, vf =>
        {
            Assert.True(PciAddress.TryParse(vf.GetProperty("address").GetString(), null, out _));
            Assert.Equal(pf.GetProperty("address").GetString(), vf.GetProperty("parent").GetString());
            Assert.Equal("nvme-vfio-pci", vf.GetProperty("driver").GetString());
            Assert.Equal("native", vf.GetProperty("profile").GetString());
            Assert.Equal("vfio", vf.GetProperty("mode").GetString());
            Assert.Equal("nvme", vf.GetProperty("model").GetString());
            Assert.Equal(JsonValueKind.Array, vf.GetProperty("migration").ValueKind);
            Assert.All(
                new[] { "vendor", "device", "subvendor", "subdevice" },
                name => Assert.Matches("^0x[0-9a-f]{4}$", vf.GetProperty("ids").GetProperty(name).GetString()));
            Assert.Equal("0x010802", vf.GetProperty("ids").GetProperty("class").GetString());
        });
    }

    [Fact]
    public async Task List_prints_a_line_for_each_function_and_no_colour_where_no_terminal_is()
    {
        var result = await Cli.RunAsync("list");
        var lines = result.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("ADDRESS", lines[0], StringComparison.Ordinal);
        var functions = (await Cli.RunAsync("list", "--json")).Json().GetArrayLength();
        Assert.Equal(functions + 1, lines.Length);
        Assert.DoesNotContain('\u001b', result.Out);
        Assert.All(lines, l => Assert.Equal(l.TrimEnd(), l));
    }

    [Fact]
    public async Task Explain_names_the_winner_and_why_each_other_lost()
    {
        var match = (await Cli.RunAsync("explain", "00.1", "--json")).Json();
        Assert.Equal("nvme-vfio-pci", match.GetProperty("driver").GetString());
        var candidates = match.GetProperty("candidates").EnumerateArray().ToList();
        Assert.Equal(["Bound", "Passed"], candidates.Select(c => c.GetProperty("verdict").GetString()!));
        Assert.Equal([4, 7], candidates.Select(c => c.GetProperty("wildcards").GetInt32()));
        Assert.All(candidates.Skip(1), c => Assert.False(string.IsNullOrEmpty(c.GetProperty("reason").GetString())));
    }

    [Fact]
    public async Task A_physical_function_is_left_to_the_generic_driver_with_the_reason()
    {
        var text = (await Cli.RunAsync("explain", "00.0")).Out;
        Assert.Contains("Driver vfio-pci", text, StringComparison.Ordinal);
        Assert.Contains("refused", text, StringComparison.Ordinal);
        Assert.Contains("physical function", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Plugins_lists_what_was_loaded_and_what_was_refused()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-tool-");
        try
        {
            directory.CreateSubdirectory("junk");
            var plugins = (await Cli.RunAsync("plugins", "--json", "--plugins", directory.FullName)).Json().EnumerateArray().ToList();
            Assert.Equal(["nvme", "junk"], plugins.Select(p => p.GetProperty("id").GetString()!));
            Assert.Equal(["Loaded", "Refused"], plugins.Select(p => p.GetProperty("state").GetString()!));
            Assert.Contains("no vfio-plugin.json", plugins[1].GetProperty("reason").GetString(), StringComparison.Ordinal);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
