using Microsoft.Extensions.Logging;

namespace Vfio.Core;

/// <summary>
/// The migration half of the kernel's <c>vfio_main.c</c>, with what every variant driver repeats: it makes states and a data stream of a
/// variant's arcs (<see cref="VfioDevice.Migration"/>). Thread-safe. One to a device, for as long as the device exists.
/// </summary>
public sealed class MigrationService : IMigrationOps
{
    /// <summary>Takes over a device's migration, and listens to its resets.</summary>
    /// <param name="device">A device with a <see cref="VfioDevice.Migration"/>.</param>
    /// <param name="logger">Where a variant's faults are logged.</param>
    /// <exception cref="VfioException">The device has no migration (ENOTTY), or one without STOP_COPY (EINVAL).</exception>
    public MigrationService(VfioDevice device, ILogger? logger = null)
    {
        var migration = device.Migration ?? throw new VfioException(Errno.ENOTTY, "The device does not migrate: it has no Migration.");
        Capabilities = migration.Capabilities;
    }

    /// <inheritdoc/>
    public MigrationCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken)
        => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken) => throw new NotImplementedException();
}
