namespace Vfio.OracleReplay.Tests;

/// <summary>Runs the command on a file of its own.</summary>
internal static class Cli
{
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var exitCode = await ReplayCommand.RunAsync(args, output, error, TestContext.Current.CancellationToken);
        return (exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Replays lines, with what else is on the command line.</summary>
    public static Task<(int ExitCode, string Output, string Error)> ReplayAsync(IEnumerable<string> lines, params string[] args)
        => ReplayAsync(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n"), args);

    public static async Task<(int ExitCode, string Output, string Error)> ReplayAsync(byte[] contents, params string[] args)
    {
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(path, contents, TestContext.Current.CancellationToken);
            return await RunAsync([path, .. args]);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
