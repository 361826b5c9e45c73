using Vfio.OracleReplay.Output;

namespace Vfio.OracleReplay.Tests;

/// <summary>The recordings pass: every row of every kind that can be compared.</summary>
public sealed class OracleTests
{
    public static TheoryData<string> Devices => [.. Recordings.Oracle.Devices.Select(device => device.Name)];

    [Theory]
    [MemberData(nameof(Devices))]
    public async Task Every_comparable_row_of_a_recorded_function_passes(string device)
    {
        using var output = new StringWriter();
        var report = new Report(output, isVerbose: false);
        await new Replay(report, [device], []).RunAsync(Recordings.Oracle, TestContext.Current.CancellationToken);

        Assert.True(report.IsGood, output.ToString());
    }

    [Fact]
    public async Task No_row_of_the_oracle_is_left_out()
    {
        var (exitCode, output, _) = await Cli.RunAsync(Recordings.Path(Recordings.Linux));

        Assert.Equal(0, exitCode);
        var sums = output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .SkipWhile(line => !line.StartsWith("raw_config:", StringComparison.Ordinal));
        Assert.Equal(
            [
                "raw_config: 0 passed, 0 failed, 10 not comparable",
                "raw_config_open: 10 passed, 0 failed",
                "virtual_config: 10 passed, 0 failed",
                "config_width: 310 passed, 0 failed",
                "config_write: 3784 passed, 0 failed",
                "device_info: 10 passed, 0 failed",
                "region_info: 100 passed, 0 failed",
                "irq_info: 60 passed, 0 failed",
                "hot_reset_info: 10 passed, 0 failed",
                "feature_probe: 480 passed, 0 failed",
                "short_argsz: 50 passed, 0 failed",
                "set_irqs: 16560 passed, 0 failed, 480 not comparable",
                "irq_script: 50 passed, 0 failed",
                "region_read: 6720 passed, 0 failed",
                "reset: 10 passed, 0 failed",
                "after_reset: 10 passed, 0 failed",
                "dma: 220 passed, 0 failed, 20 not comparable",
                "end: 0 passed, 0 failed, 10 not comparable",
                "520 not comparable",
                "28394 passed, 0 failed",
            ], sums);
    }

    // Abutting capabilities of one id in front of a hidden one; a display controller with VGA ranges and a ROM copy.
    [Theory]
    [InlineData("lab-cxl.jsonl.gz")]
    [InlineData("lab-cirrus.jsonl.gz")]
    public async Task A_recording_of_our_own_lab_passes(string name)
    {
        var (exitCode, output, _) = await Cli.RunAsync(Recordings.Path(name));

        Assert.True(exitCode == 0, output);
    }
}
