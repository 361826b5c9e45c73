using System.CommandLine;
using Microsoft.Extensions.Logging;
using Vfio.Tool.Output;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio list</c></summary>
internal static class ListCommand
{
    public static Command Create(GlobalOptions options, Terminal terminal)
    {
        var json = GlobalOptions.Json();
        var command = new Command("list", "Lists every function, and the driver that serves it.") { json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await Session.StartAsync(
                parsed, options, terminal, LogLevel.Warning, null, cancellationToken).ConfigureAwait(false);
            var functions = new List<ListedFunction>();
            foreach (var function in session.Host.Functions)
            {
                var match = await session.Host.ExplainAsync(function.Address, null, cancellationToken).ConfigureAwait(false);
                functions.Add(ListedFunction.From(function, match));
            }

            if (parsed.GetValue(json))
                terminal.Json(functions, ToolJson.Default.IReadOnlyListListedFunction);
            else
                Print(terminal, functions);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(Terminal terminal, List<ListedFunction> functions)
    {
        var table = terminal.Table("ADDRESS", "ID", "SUBSYSTEM", "CLASS", "KIND", "MODEL", "MODE", "DRIVER", "PROFILE", "MIGRATION");
        foreach (var f in functions)
        {
            Terminal.Row(
                table,
                f.Address,
                $"{f.Ids.Vendor[2..]}:{f.Ids.Device[2..]}",
                $"{f.Ids.Subvendor[2..]}:{f.Ids.Subdevice[2..]}",
                f.Ids.Class[2..],
                f.Parent is null ? f.Kind : $"{f.Kind} of {f.Parent}",
                f.Model ?? "-",
                f.Mode,
                f.Driver is null ? "-" : f.Reason is null ? f.Driver : $"{f.Driver} (degraded)",
                f.Profile ?? "-",
                f.Migration.Count == 0 ? "-" : string.Join(" ", f.Migration));
        }

        terminal.Write(table);
    }
}
