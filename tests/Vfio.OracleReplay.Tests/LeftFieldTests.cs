using System.Text.Json.Nodes;

namespace Vfio.OracleReplay.Tests;

/// <summary>Fields that seem to say nothing are compared all the same: of calls that failed, and of what was before a write.</summary>
public sealed class LeftFieldTests
{
    private const string Device = "1b36:0010-pf";

    [Theory]
    [InlineData("region_info", "size", "size: expected 1, actual 0; size (served): expected 1, actual 0")]
    [InlineData("region_info", "flags", "flags: expected 1h, actual 0h; flags (served): expected 1h, actual 0h")]
    [InlineData("irq_info", "count", "count: expected 1, actual 0; count (served): expected 1, actual 0")]
    [InlineData("irq_info", "flags", "flags: expected 1h, actual 0h; flags (served): expected 1h, actual 0h")]
    [InlineData("dma", "unmapped", "unmapped: expected 4097, actual 4096")]
    public async Task What_a_call_that_failed_left_is_compared(string kind, string field, string expected)
    {
        var rows = Recordings.Of(Device);
        var row = rows.Find(r => (string)r["row"]! == kind && (int)r["errno"]! != 0 && r.ContainsKey(field))!;
        row[field] = (long)row[field]! + 1;

        Assert.Contains(expected, await ToldAsync(rows, kind), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_before_a_write_is_what_a_fresh_open_shows_or_an_earlier_write_left()
    {
        // The bit is one that the write changes, so that nothing else of the row would tell. PF: raw bytes behind its capabilities.
        var rows = Recordings.Of(Device);
        var row = rows.Last(r => (string)r["row"]! == "config_write" && (int)r["width"]! == 4 && (string)r["before"]! == "ffffffff"
            && (string)r["after"]! == "00000000");
        row["before"] = "fffffffe";

        Assert.Contains("before: expected fffffffe, actual 00000000", await ToldAsync(rows, "config_write"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config_width", "bytes")]
    [InlineData("dma", "unmapped")]
    public async Task An_answer_that_is_not_there_is_told(string kind, string field)
    {
        var rows = Recordings.Of(Device);
        rows.Last(r => (string)r["row"]! == kind && r.ContainsKey(field)).Remove(field);

        Assert.Contains($"a {kind} row has no field \"{field}\"", await ToldAsync(rows, kind), StringComparison.Ordinal);
    }

    private static async Task<string> ToldAsync(IEnumerable<JsonObject> rows, string kind)
    {
        var (exitCode, output, _) = await Cli.ReplayAsync(rows.Select(row => row.ToJsonString()), "--row", kind);

        Assert.Equal(1, exitCode);
        return Assert.Single(output.Split('\n'), l => l.StartsWith("line ", StringComparison.Ordinal));
    }
}
