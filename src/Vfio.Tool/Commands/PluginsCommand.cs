using System.CommandLine;
using Microsoft.Extensions.Logging;
using Spectre.Console;
using Vfio.Hosting.Plugins;
using Vfio.Tool.Output;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio plugins</c></summary>
internal static class PluginsCommand
{
    public static Command Create(GlobalOptions options, Terminal terminal)
    {
        var json = GlobalOptions.Json();
        var command = new Command("plugins", "Lists the plugins: what was loaded, and what was refused and why.") { json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await Session.StartAsync(
                parsed, options, terminal, LogLevel.Error, null, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.Json(session.Host.Plugins, ToolJson.Default.IReadOnlyListPluginStatus);
            else
                Print(terminal, session.Host.Plugins);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(Terminal terminal, IReadOnlyList<PluginStatus> plugins)
    {
        if (plugins.Count == 0)
        {
            terminal.Console.WriteLine("no plugins; --plugins DIR adds a directory of them");
            return;
        }

        var table = terminal.Table("PLUGIN", "VERSION", "CONTRACT", "STATE", "DRIVERS", "FILE");
        foreach (var plugin in plugins)
        {
            Terminal.Row(
                table,
                plugin.Id,
                plugin.Version ?? "-",
                plugin.Contract ?? "-",
                plugin.State == PluginState.Loaded ? "loaded" : $"refused: {plugin.Reason}",
                plugin.Drivers.Count == 0 ? "-" : string.Join("; ", plugin.Drivers.Select(d => $"{d.Name} {string.Join(" ", d.Ids)}")),
                plugin.Entry is { } entry ? Path.Combine(plugin.Folder, entry) : plugin.Folder);
        }

        terminal.Write(table);
    }
}
