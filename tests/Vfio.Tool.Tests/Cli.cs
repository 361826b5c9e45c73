using System.Text.Json;

namespace Vfio.Tool.Tests;

/// <summary>Runs the command in this process, its output captured.</summary>
internal static class Cli
{
    public static Task<CliResult> RunAsync(params string[] args) => RunAsync(new(), TestContext.Current.CancellationToken, args);

    /// <summary>Runs it with what it says to be heard at once, until it is interrupted.</summary>
    public static async Task<CliResult> RunAsync(HeardText heard, CancellationToken interrupt, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var both = TextWriter.Synchronized(heard.On(output));
        using var errors = TextWriter.Synchronized(heard.On(error));
        var code = await VfioCommand.RunAsync(args, both, errors, heard.IsTerminal, interrupt);
        return new(code, output.ToString(), error.ToString());
    }
}

internal sealed record CliResult(int Code, string Out, string Error)
{
    public JsonElement Json() => JsonDocument.Parse(Out).RootElement;

    /// <summary>Asserts a failure after something was said.</summary>
    public void AssertRefused(string reason)
    {
        Assert.Equal(1, Code);
        Assert.Contains(reason, Error, StringComparison.Ordinal);
    }

    /// <summary>Asserts a failure that says one thing, on stderr alone.</summary>
    public void AssertFailed(int code, string reason)
    {
        Assert.Equal(code, Code);
        Assert.Contains(reason, Error, StringComparison.Ordinal);
        Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), l => l.StartsWith("vfio: ", StringComparison.Ordinal));
        Assert.Empty(Out);
    }
}
