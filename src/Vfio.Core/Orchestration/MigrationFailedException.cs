namespace Vfio.Core;

/// <summary>A migration did not come to its end. Says what failed, and in which state every device of this side was left.</summary>
public sealed class MigrationFailedException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="error">The errno that fits.</param>
    /// <param name="message">What failed.</param>
    /// <param name="outcome">Who may run now.</param>
    /// <param name="devices">In which state the devices of this side were left; empty if none was touched.</param>
    /// <param name="inner">What caused it.</param>
    public MigrationFailedException(
        Errno error, string message, MigrationOutcome outcome, IReadOnlyList<DeviceLeftIn> devices, Exception? inner = null)
        : base(message, inner)
    {
        Error = error;
        Outcome = outcome;
        Devices = devices;
    }

    /// <summary>The errno that fits.</summary>
    public Errno Error { get; }

    /// <summary>Who may run now.</summary>
    public MigrationOutcome Outcome { get; }

    /// <summary>In which state the devices of this side were left; empty if none was touched.</summary>
    public IReadOnlyList<DeviceLeftIn> Devices { get; }
}

/// <summary>In which state a device was left.</summary>
/// <param name="Device">Its name.</param>
/// <param name="State">The state; null: it does not say.</param>
public sealed record DeviceLeftIn(string Device, MigrationState? State)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Device} is in {State?.ToString() ?? "a state that it does not tell"}";
}

/// <summary>Who may run after a migration that failed. Never both.</summary>
public enum MigrationOutcome
{
    /// <summary>The source runs: as before, or again. The destination does not.</summary>
    SourceRuns,

    /// <summary>
    /// At a source: not all of its devices could be brought back to RUNNING, and the destination was not told to run. At a destination:
    /// its devices do not run, and what became of the source it does not know.
    /// </summary>
    NobodyRuns,

    /// <summary>
    /// The destination was told to run and has not confirmed it. The source stays in STOP: only who knows that the destination does not run
    /// may bring it back.
    /// </summary>
    DestinationMayRun,
}
