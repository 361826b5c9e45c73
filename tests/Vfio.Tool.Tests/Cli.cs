using System.Text.Json;

namespace Vfio.Tool.Tests;

/// <summary>Runs the command in this process, its output captured.</summary>
internal static class Cli
{
    public static async Task<CliResult> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await VfioCommand.RunAsync(args, output, error, isTerminal: false, TestContext.Current.CancellationToken);
        return new(code, output.ToString(), error.ToString());
    }
}

internal sealed record CliResult(int Code, string Out, string Error)
{
    public JsonElement Json() => JsonDocument.Parse(Out).RootElement;

    /// <summary>Asserts a failure that says one thing, on stderr alone.</summary>
    public void AssertFailed(int code, string reason)
    {
        Assert.Equal(code, Code);
        Assert.Contains(reason, Error, StringComparison.Ordinal);
        Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), l => l.StartsWith("vfio: ", StringComparison.Ordinal));
        Assert.Empty(Out);
    }
}
