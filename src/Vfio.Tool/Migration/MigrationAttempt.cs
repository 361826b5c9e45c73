using Vfio.Core;
using Vfio.Tool.Output;

namespace Vfio.Tool.Migration;

/// <summary>
/// Carries one migration out for a command, and says how it ended: on stdout what was asked for, on stderr what went wrong.
/// </summary>
/// <param name="terminal">Where to.</param>
/// <param name="isJson">Whether one JSON document was asked for.</param>
/// <param name="functions">The functions of this side.</param>
/// <param name="isSource">Which side this is.</param>
/// <param name="timeout">How long it may take.</param>
internal sealed class MigrationAttempt(Terminal terminal, bool isJson, IReadOnlyList<string> functions, bool isSource, TimeSpan timeout)
{
    /// <summary>Where to or where from.</summary>
    public required string Place { get; set; }

    /// <summary>Runs it.</summary>
    /// <param name="work">The migration.</param>
    /// <param name="interrupt">Set by SIGINT and SIGTERM.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(
        Func<IProgress<MigrationProgress>?, CancellationToken, Task<MigrationSummary>> work, CancellationToken interrupt)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        end.CancelAfter(timeout);
        try
        {
            var summary = await ProgressDisplay.ShowAsync(terminal, isJson, progress => work(progress, end.Token)).ConfigureAwait(false);
            await SucceededAsync(summary).ConfigureAwait(false);
            return ExitCode.Done;
        }
        catch (MigrationFailedException e)
        {
            await FailedAsync(e.Outcome, e.Devices, e.Error, e.Message + Advice(e.Outcome, isSource)).ConfigureAwait(false);
            return interrupt.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Failed;
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            var interrupted = interrupt.IsCancellationRequested;
            var reason = interrupted ? "interrupted" : $"not done within {timeout.TotalSeconds:0} s";
            var (outcome, rest) = isSource
                ? (MigrationOutcome.SourceRuns, "the source is RUNNING again")
                : (MigrationOutcome.NobodyRuns, "nothing runs here");
            await FailedAsync(outcome, [], interrupted ? Errno.ECANCELED : Errno.ETIMEDOUT, $"{reason}; {rest}").ConfigureAwait(false);
            return interrupted ? ExitCode.Interrupted : ExitCode.Failed;
        }
    }

    private static string Advice(MigrationOutcome outcome, bool isSource) => outcome switch
    {
        // What became of the source, a destination does not know.
        MigrationOutcome.SourceRuns => isSource ? "; the source is RUNNING" : "; nothing runs here",
        MigrationOutcome.DestinationMayRun when isSource => "; see there before you start anything here",
        _ => string.Empty,
    };

    private async Task SucceededAsync(MigrationSummary summary)
    {
        if (isJson)
        {
            terminal.Json(MigrationReport.Of(functions, Place, summary), ToolJson.Default.MigrationReport);
        }
        else
        {
            var rate = summary.Duration > TimeSpan.Zero ? (ulong)(summary.Bytes / summary.Duration.TotalSeconds) : 0;
            var rounds = summary.Rounds > 0 ? $", {summary.Rounds} rounds of PRE_COPY" : string.Empty;
            var names = string.Join(" ", functions);
            var way = isSource ? $"migrated {names} to {Place}" : $"restored {names} from {Place}";
            var time = FormattableString.Invariant($"{summary.Duration.TotalSeconds:0.000} s, {ProgressDisplay.Size(rate)}/s{rounds}");
            var downtime = FormattableString.Invariant($"downtime {summary.Downtime.TotalMilliseconds:0.0} ms");
            var line = $"{way}: {ProgressDisplay.Size(summary.Bytes)} in {time}, {downtime}";
            await terminal.Out.WriteLineAsync(line).ConfigureAwait(false);
        }

        await terminal.Out.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        if (summary.Converged == false)
            await terminal.Error.WriteLineAsync("vfio: warning: the downtime target could not be met").ConfigureAwait(false);
        const string Unconfirmed = "vfio: warning: it runs here, and the source could not be told: it stays in STOP";
        if (!summary.IsConfirmed)
            await terminal.Error.WriteLineAsync(Unconfirmed).ConfigureAwait(false);
    }

    private async Task FailedAsync(MigrationOutcome outcome, IReadOnlyList<DeviceLeftIn> devices, Errno error, string reason)
    {
        if (isJson)
            terminal.Json(MigrationReport.Of(functions, Place, outcome, devices, error, reason), ToolJson.Default.MigrationReport);
        await terminal.Error.WriteLineAsync($"vfio: {reason}").ConfigureAwait(false);
    }
}
