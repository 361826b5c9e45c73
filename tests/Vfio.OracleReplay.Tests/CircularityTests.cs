using System.Text.Json.Nodes;

namespace Vfio.OracleReplay.Tests;

/// <summary>
/// An answer is told as wrong though it stands alone: what the hardware is comes from other rows, wherever another row has it.
/// </summary>
public sealed class CircularityTests
{
    [Theory]
    [InlineData("10ec:8139", "region_info", "size", 512, "size: expected 512, actual 256; size (served): expected 512, actual 256")]
    [InlineData("10ec:8139", "device_info", "flags", 3, "flags: expected 3h, actual 2h; flags (served): expected 3h, actual 2h")]
    [InlineData("8086:10d3", "device_info", "flags", 2, "flags: expected 2h, actual 3h; flags (served): expected 2h, actual 3h")]
    [InlineData("8086:10d3", "hot_reset_info", "errno", -19, "errno: expected -19, actual 0")]
    [InlineData("8086:10d3", "hot_reset_info", "count", 0, "count: expected 0, actual 1")]
    public async Task An_altered_answer_is_told_by_its_own_row_alone(string device, string kind, string field, int value, string expected)
    {
        var rows = Recordings.Of(device);
        var row = rows.Find(r => (string)r["row"]! == kind);
        row![field] = value;

        await ExpectAsync(rows, kind, expected);
    }

    [Fact]
    public async Task The_identity_of_a_VF_is_its_PFs_to_tell()
    {
        var rows = Recordings.Of("1b36:0010-vf");
        var shown = rows.Find(row => (string)row["row"]! == "virtual_config")!;
        // Device 0010h, and BAR 0 as 64-bit memory.
        shown["bytes"] = ((string)shown["bytes"]!).Replace("361b1000", "361b1100", StringComparison.Ordinal);
        rows.AddRange(Recordings.Of("1b36:0010-pf").Where(row => (string)row["row"]! is "raw_config" or "end"));

        await ExpectAsync(rows, "virtual_config", "bytes at 0h: expected 361b1100, actual 361b1000");
    }

    [Fact]
    public async Task A_VF_without_its_PF_is_who_a_client_saw_and_a_note_says_so()
    {
        var (exitCode, output, _) = await Cli.ReplayAsync(Recordings.LinesOf("1b36:0010-vf"));

        Assert.True(exitCode == 0, output);
        Assert.Contains("note: 1b36:0010-vf: a VF (its identity registers read FFFFh), and the recording has no PF", output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whether_MSI_X_can_grow_is_the_same_for_every_function_of_a_host()
    {
        var rows = Recordings.Of("8086:10d3").Concat(Recordings.Of("1af4:1041")).ToList();
        rows.Find(row => (string)row["row"]! == "irq_info" && (int)row["index"]! == 2)!["flags"] = 9;

        await ExpectAsync(rows, "irq_info", "flags: expected 9h, actual 1h; flags (served): expected 9h, actual 1h");
    }

    [Fact]
    public async Task Display_controllers_have_VGA_ranges_whatever_a_row_says()
    {
        var rows = Recordings.OfFile("lab-cirrus.jsonl.gz");
        var vga = rows.Find(row => (string)row["row"]! == "region_info" && (int)row["index"]! == 8)!;
        (vga["errno"], vga["flags"], vga["size"]) = (-22, 0, 0);

        await ExpectAsync(rows, "region_info", "errno: expected -22, actual 0;");
    }

    private static async Task ExpectAsync(IEnumerable<JsonObject> rows, string kind, string expected)
    {
        var (exitCode, output, _) = await Cli.ReplayAsync(rows.Select(row => row.ToJsonString()), "--row", kind);

        Assert.Equal(1, exitCode);
        var told = Assert.Single(output.Split('\n'), l => l.StartsWith("line ", StringComparison.Ordinal));
        Assert.Contains(expected, told, StringComparison.Ordinal);
    }
}
