using System.CommandLine;
using Vfio.Tool.Output;

namespace Vfio.Tool.Migration;

/// <summary>A restored device lives as long as somebody has it open, and that is this command.</summary>
internal static class DeviceHold
{
    public static Option<bool> Option() => new("--hold")
    {
        Description = "Keep the restored devices open until SIGTERM or SIGINT. Otherwise they are closed when the command ends, "
            + "which resets them, unless they are --remote and their server was started with --keep-open.",
    };

    public static async Task WaitAsync(
        bool hold, IReadOnlyList<string> functions, Terminal terminal, bool isJson, CancellationToken interrupt)
    {
        var names = string.Join(" ", functions);
        if (!hold)
        {
            var warning = $"vfio: warning: {names} is closed now, and reset unless its server keeps it (--keep-open); --hold keeps it here";
            await terminal.Error.WriteLineAsync(warning).ConfigureAwait(false);
            return;
        }

        var to = isJson ? terminal.Error : terminal.Out;
        await to.WriteLineAsync($"holding {names} until SIGTERM or SIGINT").ConfigureAwait(false);
        await to.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        var ended = new TaskCompletionSource();
        await using var registration = interrupt.Register(ended.SetResult).ConfigureAwait(false);
        await ended.Task.ConfigureAwait(false);
    }
}
