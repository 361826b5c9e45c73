using System.CommandLine;
using Microsoft.Extensions.Logging;
using Spectre.Console;
using Vfio.Hosting;
using Vfio.Tool.Output;

namespace Vfio.Tool.Commands;

/// <summary><c>vfio explain</c></summary>
internal static class ExplainCommand
{
    public static Command Create(GlobalOptions options, Terminal terminal)
    {
        var function = GlobalOptions.Function();
        var json = GlobalOptions.Json();
        var driver = new Option<string?>("--driver") { Description = "As if this driver had been asked for.", HelpName = "NAME" };
        var command = new Command(
            "explain", "Shows which driver serves a function, and why each other does not.") { function, driver, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await Session.StartAsync(
                parsed, options, terminal, LogLevel.Warning, null, cancellationToken).ConfigureAwait(false);
            var found = session.Host.Find(parsed.GetRequiredValue(function));
            var match = await session.Host.ExplainAsync(found.Address, parsed.GetValue(driver), cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.Json(match, ToolJson.Default.FunctionMatch);
            else
                Print(terminal, match);
            return ExitCode.Done;
        });
        return command;
    }

    public static void Print(Terminal terminal, FunctionMatch match)
    {
        terminal.Console.WriteLine($"{match.Function} is {match.Alias}");
        terminal.Console.WriteLine(match.Driver is null
            ? $"No driver serves it: {match.Reason}"
            : $"Driver {match.Driver}, profile {match.Profile}" + (match.Reason is null ? string.Empty : $", degraded: {match.Reason}"));
        terminal.Console.WriteLine();
        var table = terminal.Table("DRIVER", "FROM", "WILDCARDS", "VERDICT", "WHY");
        foreach (var candidate in match.Candidates)
        {
            Terminal.Row(
                table,
                candidate.Driver,
                candidate.Origin,
                candidate.Wildcards?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "-",
                Word(candidate.Verdict),
                candidate.Reason ?? $"matches {candidate.Alias}");
        }

        terminal.Write(table);
    }

    private static string Word(CandidateVerdict verdict) => verdict switch
    {
        CandidateVerdict.Bound => "serves",
        CandidateVerdict.Degraded => "serves, degraded",
        CandidateVerdict.Refused => "refused",
        CandidateVerdict.Failed => "failed",
        _ => "not asked",
    };
}
