using System.Text;

namespace Vfio.OracleReplay.Tests;

/// <summary>Rows that are missing, there twice, in another order, or between those of another function.</summary>
public sealed class InventoryTests
{
    private const string Device = "8086:2930", Other = "10ec:8139";

    [Theory]
    [InlineData("feature_probe", "feature_probe feature 0, get 1, set 0")]
    [InlineData("set_irqs", "set_irqs index 0, flags 0, start 0, count 0, payload 0")]
    [InlineData("config_write", "config_write offset 0h, width 4, value ffffffffh")]
    [InlineData("raw_config", "raw_config")]
    public async Task A_row_that_is_there_twice_is_told_and_is_no_success(string kind, string what)
    {
        var lines = Recordings.LinesOf(Device).ToList();
        var first = lines.FindIndex(line => line.Contains($"\"row\":\"{kind}\"", StringComparison.Ordinal));
        lines.Insert(lines.Count - 1, lines[first]);

        var (exitCode, output, _) = await Cli.ReplayAsync(lines);

        Assert.Equal(1, exitCode);
        Assert.Contains($"line {lines.Count - 1}: {Device} {what} is on line {first + 1} already\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rows_that_are_missing_are_told()
    {
        var lines = Recordings.LinesOf(Device).Where((line, i) => i != 1000 && !line.Contains("\"reset\"", StringComparison.Ordinal));

        var (exitCode, output, _) = await Cli.ReplayAsync(lines);

        Assert.True(exitCode == 0, output);
        Assert.Contains($"note: {Device}: 1703 set_irqs rows; the recorder makes 1704\n", output, StringComparison.Ordinal);
        Assert.Contains($"note: {Device}: 0 reset rows; the recorder makes 1\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_functions_of_a_recording_may_take_turns()
    {
        var (left, right) = (Recordings.LinesOf(Device), Recordings.LinesOf(Other));
        var lines = left.Zip(right).SelectMany(pair => new[] { pair.First, pair.Second })
            .Concat(left.Skip(right.Length)).Concat(right.Skip(left.Length));

        var (exitCode, output, _) = await Cli.ReplayAsync(lines);

        Assert.True(exitCode == 0, output);
        Assert.Equal(await PassedAsync(left) + await PassedAsync(right), Passed(output));
    }

    [Fact]
    public async Task Kinds_of_rows_may_come_in_any_order()
    {
        var lines = Recordings.LinesOf(Device);
        var kinds = lines.GroupBy(line => line[..(line.IndexOf("\"row\":", StringComparison.Ordinal) + 12)]).Reverse().SelectMany(kind => kind);

        var (exitCode, output, _) = await Cli.ReplayAsync(kinds);

        Assert.True(exitCode == 0, output);
        Assert.Equal(await PassedAsync(lines), Passed(output));
    }

    [Fact]
    public async Task A_name_that_comes_again_after_its_end_is_another_function()
    {
        var first = Recordings.LinesOf(Device);
        var second = Recordings.LinesOf(Other).Select(line => line.Replace(Other, Device, StringComparison.Ordinal));

        var (exitCode, output, _) = await Cli.ReplayAsync(first.Concat(second));

        Assert.True(exitCode == 0, output);
        Assert.Equal(await PassedAsync(first) + await PassedAsync(Recordings.LinesOf(Other)), Passed(output));
        Assert.Equal(0, (await Cli.ReplayAsync(first.Concat(second), "--device", $"{Device} (2)", "--row", "reset")).ExitCode);
    }

    [Fact]
    public async Task Rows_of_another_function_are_told()
    {
        // Of two functions that differ in most, one row comes under the other's name.
        var lines = Recordings.LinesOf(Device).Concat(Recordings.LinesOf(Other)).ToList();
        var swapped = lines.FindIndex(line => line.Contains(Other, StringComparison.Ordinal)
            && line.Contains("\"virtual_config\"", StringComparison.Ordinal));
        lines.Insert(5, lines[swapped].Replace(Other, Device, StringComparison.Ordinal));
        lines.RemoveAt(swapped + 1);

        var (exitCode, output, _) = await Cli.ReplayAsync(lines);

        Assert.Equal(1, exitCode);
        Assert.Contains("line 6: 8086:2930 virtual_config: bytes at 0h:", output, StringComparison.Ordinal);
        Assert.Contains("8086:2930 virtual_config is on line 6 already", output, StringComparison.Ordinal);
        Assert.Contains($"note: {Other}: 0 virtual_config rows", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\r\n", "")]
    [InlineData("\n\n", "")]
    [InlineData("\n", "\uFEFF")]
    public async Task Line_ends_empty_lines_and_a_byte_order_mark_say_nothing(string end, string mark)
    {
        var lines = Recordings.LinesOf(Device);

        var (exitCode, output, _) = await Cli.ReplayAsync(Encoding.UTF8.GetBytes(mark + string.Join(end, lines) + end));

        Assert.True(exitCode == 0, output);
        Assert.Equal(await PassedAsync(lines), Passed(output));
    }

    [Fact]
    public async Task Fields_that_are_not_known_say_nothing()
    {
        var rows = Recordings.Of(Device);
        rows.ForEach(row => row["recorder"] = "9.9");

        var (exitCode, output, _) = await Cli.ReplayAsync(rows.Select(row => row.ToJsonString()));

        Assert.True(exitCode == 0, output);
    }

    private static async Task<int> PassedAsync(IEnumerable<string> lines) => Passed((await Cli.ReplayAsync(lines)).Output);

    private static int Passed(string output) => int.Parse(output.TrimEnd().Split('\n')[^1].Split(' ')[0]);
}
