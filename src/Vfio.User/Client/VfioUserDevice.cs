using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Vfio.User.Client.Calls;
using Vfio.User.Client.Devices;
using Vfio.User.Client.Migration;

namespace Vfio.User;

/// <summary>
/// The device of a vfio-user server, as a device of this process. It connects when it is opened, and disconnects when it is closed: one
/// session each, like a descriptor of /dev/vfio. Thread-safe.
/// </summary>
/// <remarks>
/// What the server answers is passed on to the errno; a server that is gone is ENOTCONN for everything until the device is closed, and
/// ENODEV is everything while it is closed. What is mapped in the space that it is opened with is mapped at the server, where the space can
/// tell (<see cref="IDmaSpace.Observe"/>); the rest of it the server reaches by asking. A server that truncates the file of a region that
/// it lets be mapped makes touches of it fail with SIGBUS: map regions of servers that are trusted with that.
/// <see cref="MigrationOps"/> and <see cref="DmaLogging"/> are null until the device has been opened, because only the server knows;
/// what an open has found stays from then on, and answers ENODEV while the device is closed.
/// </remarks>
public sealed class VfioUserDevice : VfioDevice
{
    private readonly VfioUserEndpoint _endpoint;
    private readonly VfioUserClientOptions _options;
    private readonly ILogger _logger;
    private volatile DeviceSession? _session;
    private volatile WireMigration? _migration;
    private volatile WireDmaLogging? _logging;
    private int _isOpen;

    /// <summary>Creates the device; nothing is connected yet.</summary>
    /// <param name="endpoint">Where the server is. A descriptor endpoint serves one open.</param>
    /// <param name="options">How to connect; null for the defaults.</param>
    /// <param name="logger">Whom to tell of what the server does wrong; null for no one.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public VfioUserDevice(VfioUserEndpoint endpoint, VfioUserClientOptions? options = null, ILogger? logger = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        _endpoint = endpoint;
        _options = options ?? new VfioUserClientOptions();
        _options.Validate();
        _logger = logger ?? NullLogger.Instance;
    }

    /// <summary>The connection; null while the device is closed. Its completion tells that the server is gone.</summary>
    public VfioUserClient? Client => _session?.Client;

    /// <inheritdoc/>
    /// <returns>
    /// EBUSY: it is open. Any errno of <see cref="VfioUserClient.ConnectAsync"/>, whose sentence is logged, or of the server.
    /// </returns>
    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref _isOpen, 1, 0) != 0)
            return Errno.EBUSY;
        var (result, reason) = await ConnectAsync(context, _options.ResetOnOpen, cancellationToken).ConfigureAwait(false);
        if (reason is not null)
            _logger.DeviceNotOpened(_options.Name ?? _endpoint.ToString(), reason);
        else if (_options.ResetOnOpen)
            RaiseWasReset(ResetCause.Open);
        return result;
    }

    /// <summary>Opens the device to look at it: it is not reset, and who asked tells of what goes wrong.</summary>
    /// <returns>As <see cref="OpenAsync"/>.</returns>
    internal async ValueTask<VfioResult> OpenAsItIsAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref _isOpen, 1, 0) != 0)
            return Errno.EBUSY;
        return (await ConnectAsync(new() { Dma = new DmaSpace() }, reset: false, cancellationToken).ConfigureAwait(false)).Result;
    }

    /// <inheritdoc/>
    public override async ValueTask CloseAsync(ResetCause cause)
    {
        if (Interlocked.Exchange(ref _session, null) is not { } session)
            return;
        await session.DisposeAsync().ConfigureAwait(false);
        Volatile.Write(ref _isOpen, 0);
        RaiseWasReset(cause);
    }

    /// <inheritdoc/>
    public override DeviceInfo Info => _session?.Info ?? default;

    /// <inheritdoc/>
    public override VfioResult<RegionInfo> GetRegionInfo(int region)
    {
        if (_session is not { } session)
            return Errno.ENODEV;
        var found = session.Region(region);
        return found.IsSuccess ? found.Value.Info : found.Error;
    }

    /// <inheritdoc/>
    public override VfioResult<IrqInfo> GetIrqInfo(int index)
        => _session is not { } session ? Errno.ENODEV
            : (uint)index >= (uint)session.Info.IrqCount ? Errno.EINVAL : IrqCalls.GetInfo(session.Client, index);

    /// <inheritdoc/>
    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
        => _session is { } session ? RegionAccess.Read(session.Client, region, offset, destination) : Errno.ENODEV;

    /// <inheritdoc/>
    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
        => _session is { } session ? RegionAccess.Write(session.Client, region, offset, source) : Errno.ENODEV;

    /// <inheritdoc/>
    public override VfioResult<RegionMapping> Map(int region)
    {
        if (_session is not { } session)
            return Errno.ENODEV;
        var found = session.Region(region);
        return !found.IsSuccess ? found.Error : found.Value.Mapping is { } mapping ? mapping : Errno.EINVAL;
    }

    /// <inheritdoc/>
    public override VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region)
        => _session is not { } session ? Errno.ENODEV
            : (uint)region < (uint)session.Info.RegionCount ? session.IoEventFds(region) : Errno.EINVAL;

    /// <inheritdoc/>
    public override VfioResult<int> SetIrqs(in IrqSet set)
    {
        try
        {
            return _session is { } session ? IrqCalls.Set(session.Client, set) : Errno.ENODEV;
        }
        finally
        {
            // The server has descriptors of its own by now.
            set.DisposeEventFds();
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        if (_session is not { } session)
            return Errno.ENODEV;
        var result = await session.ResetAsync(cancellationToken).ConfigureAwait(false);
        if (!result.IsSuccess)
            return result;
        session.Stream?.End();
        RaiseWasReset(cause);
        return result;
    }

    /// <inheritdoc/>
    public override VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
        => IsCapability(request.Id) ? Errno.ENOTTY
            : _session is { } session ? FeatureCalls.Carry(session.Client, request, input, output) : Errno.ENODEV;

    /// <inheritdoc/>
    public override IMigrationOps? MigrationOps => _migration;

    /// <inheritdoc/>
    public override IDmaLogging? DmaLogging => _logging;

    /// <inheritdoc/>
    public override IEnumerable<KeyValuePair<string, string>> Describe()
    {
        yield return new("vfio-user server", _endpoint.ToString());
        if (Client?.Server is { } server)
            yield return new("version", $"0.{server.Minor} {server.Capabilities}");
    }

    private static bool IsCapability(int id) => id is FeatureId.Migration or FeatureId.MigrationDeviceState
        or FeatureId.DmaLoggingStart or FeatureId.DmaLoggingStop or FeatureId.DmaLoggingReport
        or FeatureId.MigrationDataSize or FeatureId.MigrationPrecopyInfoV2;

    // Whether it is open; if it is not, why.
    private async Task<(VfioResult Result, string? Reason)> ConnectAsync(
        VfioOpenContext context, bool reset, CancellationToken cancellationToken)
    {
        try
        {
            var client = await VfioUserClient.ConnectAsync(
                _endpoint, context.Dma, _options, _logger, cancellationToken).ConfigureAwait(false);
            var opened = await DeviceSession.OpenAsync(client, context.Dma, reset, cancellationToken).ConfigureAwait(false);
            if (!opened.IsSuccess)
                return (opened.Error, $"{opened.Error} from the server");
            _session = opened.Value;
        }
        catch (VfioException failure)
        {
            return (failure.Error, failure.Message);
        }
        finally
        {
            if (_session is null)
                Volatile.Write(ref _isOpen, 0);
        }

        if (_session.Migration != 0)
            _migration ??= new WireMigration(() => _session, _session.Migration);
        if (_session.HasDmaLogging)
            _logging ??= new WireDmaLogging(() => _session);
        return (VfioResult.Success, null);
    }
}
