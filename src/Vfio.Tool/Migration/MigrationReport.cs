using Vfio.Core;

namespace Vfio.Tool.Migration;

/// <summary>What <c>vfio migrate --json</c> and <c>vfio restore --json</c> print, however it ended. Times in milliseconds.</summary>
/// <param name="Functions">The functions of this side.</param>
/// <param name="Place">Where to or where from.</param>
/// <param name="Outcome">"migrated", or who may run now: "sourceRuns", "nobodyRuns", "destinationMayRun".</param>
/// <param name="Bytes">Bytes of the devices' data.</param>
/// <param name="PrecopyBytes">How many of them were read while the devices ran; of a source.</param>
/// <param name="Rounds">Rounds of PRE_COPY; of a source.</param>
/// <param name="Converged">Whether what was left met the downtime target; null where nothing was read before.</param>
/// <param name="Duration">All of it.</param>
/// <param name="Downtime">How long nobody ran, as far as this side can measure it.</param>
/// <param name="Confirmed">Whether the other side is known to have ended as it should.</param>
/// <param name="Devices">After a failure: the states of this side's devices.</param>
/// <param name="Error">After a failure: the errno.</param>
/// <param name="Reason">After a failure: why.</param>
internal sealed record MigrationReport(
    IReadOnlyList<string> Functions,
    string Place,
    string Outcome,
    ulong Bytes,
    ulong PrecopyBytes,
    int Rounds,
    bool? Converged,
    double Duration,
    double Downtime,
    bool Confirmed,
    IReadOnlyList<DeviceLeftIn> Devices,
    string? Error,
    string? Reason)
{
    public static MigrationReport Of(IReadOnlyList<string> functions, string place, MigrationSummary summary) => new(
        functions,
        place,
        "migrated",
        summary.Bytes,
        summary.PrecopyBytes,
        summary.Rounds,
        summary.Converged,
        summary.Duration.TotalMilliseconds,
        summary.Downtime.TotalMilliseconds,
        summary.IsConfirmed,
        [],
        null,
        null);

    public static MigrationReport Of(
        IReadOnlyList<string> functions,
        string place,
        MigrationOutcome outcome,
        IReadOnlyList<DeviceLeftIn> devices,
        Errno error,
        string reason)
        => new(functions, place, Word(outcome), 0, 0, 0, null, 0, 0, false, devices, error.ToString(), reason);

    private static string Word(MigrationOutcome outcome) => outcome switch
    {
        MigrationOutcome.SourceRuns => "sourceRuns",
        MigrationOutcome.NobodyRuns => "nobodyRuns",
        _ => "destinationMayRun",
    };
}
