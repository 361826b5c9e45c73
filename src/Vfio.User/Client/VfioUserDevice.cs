using Microsoft.Extensions.Logging;

namespace Vfio.User;

/// <summary>
/// The device of a vfio-user server, as a device of this process. It connects when it is opened, and disconnects when it is closed: one
/// session each, like a descriptor of /dev/vfio. Thread-safe.
/// </summary>
/// <remarks>
/// What the server answers is passed on to the errno; a server that is gone is ENOTCONN for everything until the device is closed.
/// <see cref="MigrationOps"/> and <see cref="DmaLogging"/> are null until it has been opened for the first time, because only the server
/// knows; from then on they stay, and fail with ENOTCONN while it is closed.
/// </remarks>
public sealed class VfioUserDevice : VfioDevice
{
    /// <summary>Creates the device; nothing is connected yet.</summary>
    /// <param name="endpoint">Where the server is. A descriptor endpoint serves one open.</param>
    /// <param name="options">How to connect; null for the defaults.</param>
    /// <param name="logger">Whom to tell of what the server does wrong; null for no one.</param>
    public VfioUserDevice(VfioUserEndpoint endpoint, VfioUserClientOptions? options = null, ILogger? logger = null)
    {
    }

    /// <summary>The connection; null while the device is closed. Its completion tells that the server is gone.</summary>
    public VfioUserClient? Client { get; private set; }

    /// <inheritdoc/>
    /// <remarks>Any errno of <see cref="VfioUserClient.ConnectAsync"/> or of the server; the log says more.</remarks>
    public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
        => throw new NotSupportedException();

    /// <inheritdoc/>
    public override ValueTask CloseAsync(ResetCause cause) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override DeviceInfo Info => throw new NotSupportedException();

    /// <inheritdoc/>
    public override VfioResult<RegionInfo> GetRegionInfo(int region) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override VfioResult<IrqInfo> GetIrqInfo(int index) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override VfioResult<int> SetIrqs(in IrqSet set) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
        => throw new NotSupportedException();

    /// <inheritdoc/>
    public override IMigrationOps? MigrationOps => null;

    /// <inheritdoc/>
    public override IDmaLogging? DmaLogging => null;
}
