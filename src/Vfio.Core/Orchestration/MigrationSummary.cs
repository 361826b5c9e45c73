namespace Vfio.Core;

/// <summary>What a migration came to.</summary>
/// <param name="Bytes">Bytes of the devices' data.</param>
/// <param name="PrecopyBytes">How many of them were read while the devices ran; 0 at a destination.</param>
/// <param name="Rounds">Rounds of PRE_COPY; 0 at a destination.</param>
/// <param name="Converged">
/// Whether what was left met the downtime target before the devices were stopped; null where nothing was read before.
/// </param>
/// <param name="Duration">From the beginning to the end.</param>
/// <param name="Downtime">
/// At a source: from before the first device was asked to stop (to start no DMA to its peers, where it can tell that apart) until the
/// destination has said that all run, or until the file is published. At a destination: from the end of the data until all run.
/// </param>
/// <param name="IsConfirmed">
/// Whether the other side is known to have ended as it should; false at a destination that runs and could not say so any more.
/// </param>
public sealed record MigrationSummary(
    ulong Bytes, ulong PrecopyBytes, int Rounds, bool? Converged, TimeSpan Duration, TimeSpan Downtime, bool IsConfirmed);
