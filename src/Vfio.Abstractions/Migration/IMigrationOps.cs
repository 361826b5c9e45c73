namespace Vfio;

/// <summary>
/// A device's migration as those see it who drive it: front ends, and whoever moves a device. States, not arcs. Thread-safe; changes of
/// state wait for each other, and never for a reader of the data stream.
/// </summary>
/// <remarks>Source: VFIO_DEVICE_FEATURE_MIGRATION, _MIG_DEVICE_STATE, _MIG_DATA_SIZE and _MIG_PRECOPY_INFOv2.</remarks>
public interface IMigrationOps
{
    /// <summary>What the device can do.</summary>
    MigrationCapabilities Capabilities { get; }

    /// <summary>The state that the device is in; RUNNING after an open and after a reset.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken);

    /// <summary>Takes the device to a state, over every state on the way.</summary>
    /// <param name="state">The state; the one that it is in is reached without doing anything.</param>
    /// <param name="cancellationToken">Gives up between two steps, and inside those that can be given up.</param>
    /// <returns>
    /// The data stream that the last arc began, which is the caller's to dispose of; null if it began none: PRE_COPY_P2P to STOP_COPY goes
    /// on with the one that there is. EINVAL: no way leads there, or the device is in ERROR. Any other errno: some state on the way, ask
    /// for it.
    /// </returns>
    ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken);

    /// <summary>How many bytes STOP_COPY would yield now: an estimate. Answers in every state.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken);

    /// <summary>Asks for <see cref="PrecopyInfo.HasNewInitial"/>, until the device is closed.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>EINVAL: the device has no PRE_COPY.</returns>
    ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken);
}
