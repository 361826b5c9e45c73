using System.Text.Json;
using System.Text.Json.Nodes;

namespace Vfio.OracleReplay.Tests;

/// <summary>The replay can fail: an altered row is told, with what it holds and what the core answers.</summary>
public sealed class MismatchTests
{
    private const string Device = "1b36:0010-pf";

    [Theory]
    [InlineData("device_info", "irqs", "irqs: expected 6, actual 5; irqs (served): expected 6, actual 5")]
    [InlineData("device_info", "regions", "regions: expected 10, actual 9; regions (served): expected 10, actual 9")]
    [InlineData("device_info", "errno", "errno: expected 1, actual 0; errno (served): expected 1, actual 0")]
    [InlineData("region_info", "flags", "flags: expected 10h, actual fh; flags (served): expected 10h, actual fh")]
    [InlineData("irq_info", "count", "count: expected 2, actual 1; count (served): expected 2, actual 1")]
    [InlineData("irq_info", "flags", "flags: expected 8h, actual 7h; flags (served): expected 8h, actual 7h")]
    [InlineData("feature_probe", "errno", "errno: expected -21, actual -22; errno (served): expected -21, actual -22")]
    [InlineData("short_argsz", "errno", "errno (served): expected -21, actual -22")]
    [InlineData("virtual_config", "bytes", "bytes at 0h: expected 371b1000, actual 361b1000")]
    [InlineData("raw_config_open", "bytes", "bytes at 0h: expected 371b1000, actual 361b1000")]
    [InlineData("config_width", "bytes", "bytes: expected 37, actual 36")]
    [InlineData("config_width", "result", "result: expected 2, actual 1")]
    [InlineData("config_write", "after", "after: expected 371b1000, actual 361b1000")]
    [InlineData("config_write", "wrote", "wrote: expected 5, actual 4")]
    [InlineData("config_write", "read", "read: expected 5, actual 4")]
    [InlineData("set_irqs", "errno", "errno: expected -21, actual -22")]
    [InlineData("irq_script", "results", "results[0] (enable with a bad descriptor): expected -8, actual -9")]
    [InlineData("region_read", "result", "result: expected -4, actual -5")]
    [InlineData("reset", "errno", "errno: expected 1, actual 0")]
    [InlineData("after_reset", "bar0", "bar0: expected dead8005h, actual dead8004h")]
    [InlineData("after_reset", "command", "command: expected 8h, actual 7h")]
    [InlineData("dma", "errno", "errno: expected 1, actual 0")]
    [InlineData("dma", "unmapped", "unmapped (in process): expected 131073, actual 131072", "unmap across two")]
    public async Task An_altered_row_is_told_with_expected_and_actual(string kind, string field, string expected, string? step = null)
    {
        var rows = Recordings.Of(Device);
        var line = rows.FindIndex(row
            => (string)row["row"]! == kind && row.ContainsKey(field) && (step is null || (string?)row["step"] == step));
        rows[line][field] = Altered(rows[line][field]!);

        var (exitCode, output, _) = await Cli.ReplayAsync(rows.Select(row => row.ToJsonString()), "--row", kind);

        Assert.Equal(1, exitCode);
        var told = Assert.Single(output.Split('\n'), l => l.StartsWith("line ", StringComparison.Ordinal));
        Assert.StartsWith($"line {line + 1}: {Device} {kind}", told, StringComparison.Ordinal);
        Assert.EndsWith(": " + expected, told, StringComparison.Ordinal);
        Assert.Contains($"\n{kind}: ", output, StringComparison.Ordinal);
        Assert.Contains(", 1 failed", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_hardware_held_after_a_write_is_compared()
    {
        // Interrupt Line: the client's own, which never reaches the hardware.
        var rows = Recordings.Of(Device);
        var line = rows.FindIndex(row => (string)row["row"]! == "config_write" && (int)row["offset"]! == 0x3C);
        rows[line]["hardware"] = "ff010000";

        var (exitCode, output, _) = await Cli.ReplayAsync(rows.Select(row => row.ToJsonString()), "--row", "config_write");

        Assert.Equal(1, exitCode);
        Assert.Contains("hardware: expected ff010000, actual 0b010000", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_capability_of_a_region_that_is_not_there_is_told()
    {
        var rows = Recordings.Of(Device);
        var line = rows.FindIndex(row => (string)row["row"]! == "region_info");
        rows[line]["caps"] = new JsonArray();

        var (exitCode, output, _) = await Cli.ReplayAsync(rows.Select(row => row.ToJsonString()), "--row", "region_info");

        Assert.Equal(1, exitCode);
        Assert.Contains("caps: expected , actual 3 version 1; caps (served): expected , actual 3 version 1", output,
            StringComparison.Ordinal);
    }

    private static JsonNode Altered(JsonNode value) => value switch
    {
        JsonArray list => new JsonArray([(int)list[0]! + 1, .. list.Skip(1).Select(item => item!.DeepClone())]),
        _ when value.GetValueKind() == JsonValueKind.String
            => $"{Convert.ToInt32(((string)value!)[..2], 16) + 1:x2}{((string)value!)[2..]}",
        _ => (long)value + 1,
    };
}
