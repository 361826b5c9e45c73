using System.CommandLine;
using Microsoft.Extensions.Logging;
using Spectre.Console;
using Vfio.Tool.Demo;
using Vfio.Tool.Output;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio demo</c></summary>
internal static class DemoCommand
{
    public static Command Create(GlobalOptions options, Terminal terminal)
    {
        var command = new Command("demo", "Shows and checks the main job on simulated hardware: needs no root, no network and no device.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var started = TimeProvider.System.GetTimestamp();
            await using var session = await Session.StartAsync(
                parsed, options, terminal, LogLevel.Error, null, cancellationToken).ConfigureAwait(false);
            var narrator = new Narrator(terminal.Console);
            try
            {
                await new Demonstration(session.Host, narrator).RunAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (DemoFailedException e)
            {
                await terminal.Error.WriteLineAsync($"vfio: the demo failed: {e.Message}").ConfigureAwait(false);
                return ExitCode.Failed;
            }

            terminal.Console.WriteLine();
            terminal.Console.WriteLine(
                $"{narrator.Facts} facts checked in {TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s.");
            return ExitCode.Done;
        });
        return command;
    }
}
