using System.Text.Json;

namespace Vfio.WireVectors.Tests;

public class CommandTests
{
    [Fact]
    public async Task A_run_says_how_many_passed()
    {
        var (code, output, _) = await RunAsync("--setup", "two-bars");
        Assert.Equal(VectorsCommand.Good, code);
        Assert.Matches(@"^\d+ passed, 0 failed, 0 skipped; \d+ comparisons\n$", output);
    }

    [Fact]
    public async Task A_server_that_differs_from_the_answers_of_record_is_told_and_is_no_success()
    {
        // Ours, held against what libvfio-user answers where the two differ.
        var (code, output, _) = await RunAsync("--setup", "two-bars", "--peer", "libvfio-user");
        Assert.Equal(VectorsCommand.Bad, code);
        Assert.Contains("FAILED two-bars: read of nothing\n", output, StringComparison.Ordinal);
        Assert.Contains("the reply's payload: expected 0 bytes, got 16", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_holds_every_vector()
    {
        var (code, output, _) = await RunAsync("--setup", "two-bars", "--json");
        Assert.Equal(VectorsCommand.Good, code);
        using var json = JsonDocument.Parse(output);
        var vectors = json.RootElement.GetProperty("vectors").EnumerateArray().ToList();
        Assert.Equal(Vectors.All.Count(vector => vector.Setup == "two-bars"), vectors.Count);
        Assert.All(vectors, vector => Assert.Equal("passed", vector.GetProperty("status").GetString()));
        Assert.Equal(vectors.Count, json.RootElement.GetProperty("passed").GetInt32());
    }

    [Fact]
    public async Task A_command_serves_each_set_up()
    {
        var program = Path.Combine(AppContext.BaseDirectory, "Vfio.WireVectors.dll");
        var (code, output, error) = await RunAsync(
            "--setup", "two-bars", "--serve-with", $"dotnet exec '{program}' serve {{setup}} {{socket}}");
        Assert.True(code == VectorsCommand.Good, output + error);
    }

    [Fact]
    public async Task A_command_that_ends_fails_its_vectors()
    {
        var (code, output, _) = await RunAsync("--setup", "two-bars", "--serve-with", "false");
        Assert.Equal(VectorsCommand.Bad, code);
        Assert.Contains("the server has ended with 1", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--socket", "/tmp/none")]
    [InlineData("--setup", "nothing-of-the-kind")]
    [InlineData("--peer", "somebody")]
    [InlineData("no-such-file.json")]
    [InlineData("serve", "nothing-of-the-kind", "/tmp/none")]
    public async Task Wrong_arguments_are_2(params string[] args)
    {
        var (code, _, error) = await RunAsync(args);
        Assert.Equal(VectorsCommand.WrongArguments, code);
        Assert.NotEmpty(error);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await VectorsCommand.RunAsync(args, output, error, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }
}
