using System.IO.Compression;

namespace Vfio.OracleReplay.Tests;

/// <summary>What the command makes of its arguments and of files that are not in order.</summary>
public sealed class CommandTests
{
    private const string Device = "8086:2930";

    [Fact]
    public async Task A_recording_of_one_function_is_enough()
    {
        var (exitCode, output, _) = await Cli.ReplayAsync(Recordings.LinesOf(Device));

        Assert.True(exitCode == 0, output);
    }

    [Fact]
    public async Task An_unknown_kind_of_row_is_told_by_its_line_and_is_no_success()
    {
        var lines = Recordings.LinesOf(Device).ToList();
        lines.Insert(20, $$"""{"device": "{{Device}}", "row": "teleport", "errno": 0}""");

        var (exitCode, output, _) = await Cli.ReplayAsync(lines);

        Assert.Equal(1, exitCode);
        Assert.Contains("line 21: the kind of row \"teleport\" is not known", output, StringComparison.Ordinal);
        Assert.Contains("\n1 line could not be replayed", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"device\": \"8086:2930\", \"row\": \"reset\"", "line 3: the line is no JSON")]
    [InlineData("[1, 2]", "line 3: the line is no JSON object")]
    [InlineData("{\"device\": \"8086:2930\"}", "line 3: a  row has no field \"row\"")]
    [InlineData("{\"row\": \"reset\", \"errno\": 0}", "line 3: a reset row has no field \"device\"")]
    [InlineData("{\"device\": \"8086:2930\", \"row\": \"reset\"}", "line 3: a reset row has no field \"errno\"")]
    [InlineData("{\"device\": \"8086:2930\", \"row\": \"reset\", \"errno\": \"0\"}",
        "line 3: the field \"errno\" of a reset row is no whole number")]
    [InlineData(
        "{\"device\": \"8086:2930\", \"row\": \"config_width\", \"offset\": 0, \"width\": 1, \"result\": 1, \"bytes\": \"8\"}",
        "line 3: the field \"bytes\" of a config_width row is no string of hexadecimal bytes")]
    public async Task A_line_that_is_not_in_order_is_told_and_is_no_success(string line, string expected)
    {
        var lines = Recordings.LinesOf(Device).ToList();
        lines.Insert(2, line);

        var (exitCode, output, _) = await Cli.ReplayAsync(lines);

        Assert.Equal(1, exitCode);
        Assert.Contains(expected, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_compressed_file_that_breaks_off_is_told_and_is_no_success()
    {
        var whole = await File.ReadAllBytesAsync(Recordings.Path(Recordings.Linux), TestContext.Current.CancellationToken);

        var (exitCode, output, _) = await Cli.ReplayAsync(whole[..(whole.Length / 2)], "--row", "device_info");

        Assert.Equal(1, exitCode);
        Assert.Contains("the compressed file breaks off after this line", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_compressed_file_of_several_members_is_whole()
    {
        using var file = new MemoryStream();
        foreach (var half in Recordings.LinesOf(Device).Chunk(1500))
        {
            await using var gzip = new GZipStream(file, CompressionLevel.Fastest, leaveOpen: true);
            await using var writer = new StreamWriter(gzip);
            await writer.WriteAsync(string.Join('\n', half) + "\n");
        }

        var (exitCode, output, _) = await Cli.ReplayAsync(file.ToArray(), "--row", "device_info");

        Assert.True(exitCode == 0, output);
    }

    [Fact]
    public async Task A_function_whose_rows_break_off_is_told()
    {
        var (exitCode, output, _) = await Cli.ReplayAsync(Recordings.LinesOf(Device)[..^1]);

        Assert.Equal(1, exitCode);
        Assert.Contains($"{Device} has no end row: the recording was broken off", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_without_its_raw_configuration_space_cannot_be_replayed()
    {
        var lines = Recordings.LinesOf(Device).Where(line => !line.Contains("\"raw_config\"", StringComparison.Ordinal));

        var (exitCode, output, _) = await Cli.ReplayAsync(lines);

        Assert.Equal(1, exitCode);
        Assert.Contains(
            $"{Device} has no raw_config row: what its hardware is cannot be known; nothing of {Device} is replayed",
            output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_compared_is_no_success()
    {
        Assert.Equal(1, (await Cli.ReplayAsync(Recordings.LinesOf(Device), "--row", "raw_config")).ExitCode);
        Assert.Equal(1, (await Cli.ReplayAsync(Array.Empty<string>())).ExitCode);
    }

    [Fact]
    public async Task Functions_and_kinds_can_be_chosen_more_than_once()
    {
        var (exitCode, output, _) = await Cli.RunAsync(
            Recordings.Path(Recordings.Linux), "--device", "8086:2930", "--device", "1234:11e8", "--row", "reset", "--row", "device_info");

        Assert.Equal(0, exitCode);
        Assert.Contains("\n4 passed, 0 failed\n", "\n" + output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_row_is_listed_where_it_is_asked_for()
    {
        var (exitCode, output, _) = await Cli.RunAsync(
            Recordings.Path(Recordings.Linux), "--device", Device, "--row", "dma", "--row", "raw_config", "--verbose");

        Assert.Equal(0, exitCode);
        Assert.Equal(25, output.Split('\n').Count(line => line.StartsWith("line ", StringComparison.Ordinal)));
        Assert.Contains("8086:2930 dma, step map same again: passed", output, StringComparison.Ordinal);
        Assert.Contains("not comparable: it is the hardware itself", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config_write", "offset")]
    [InlineData("region_read", "result")]
    [InlineData("set_irqs", "errno")]
    [InlineData("device_info", "flags")]
    [InlineData("irq_info", "count")]
    public async Task A_row_that_lacks_a_field_costs_itself_and_no_other(string kind, string field)
    {
        var rows = Recordings.Of(Device);
        var line = rows.FindIndex(row => (string)row["row"]! == kind);
        rows[line].Remove(field);

        var (exitCode, output, _) = await Cli.ReplayAsync(rows.Select(row => row.ToJsonString()));

        Assert.Equal(1, exitCode);
        Assert.StartsWith($"line {line + 1}: a {kind} row has no field \"{field}\"\n", output, StringComparison.Ordinal);
        Assert.Single(output.Split('\n'), l => l.StartsWith("line ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/nowhere.jsonl")]
    [InlineData()]
    [InlineData("--row", "reset")]
    [InlineData("ORACLE", "--device", "dead:beef")]
    [InlineData("ORACLE", "--row", "teleport")]
    [InlineData("ORACLE", "--frobnicate")]
    [InlineData("ORACLE", "another.jsonl")]
    public async Task Wrong_arguments_end_with_2_and_a_word_on_stderr(params string[] args)
    {
        var oracle = Recordings.Path(Recordings.Linux);
        var (exitCode, output, error) = await Cli.RunAsync([.. args.Select(arg => arg == "ORACLE" ? oracle : arg)]);

        Assert.Equal(2, exitCode);
        Assert.Empty(output);
        Assert.NotEmpty(error);
    }

    [Fact]
    public async Task Help_is_for_those_who_ask()
    {
        var (exitCode, output, _) = await Cli.RunAsync("--help");

        Assert.Equal(0, exitCode);
        Assert.Contains("--device", output, StringComparison.Ordinal);
        Assert.Contains("--row", output, StringComparison.Ordinal);
    }
}
