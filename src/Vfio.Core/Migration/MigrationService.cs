using System.Buffers;
using System.IO.Pipelines;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Core.Migration;

namespace Vfio.Core;

/// <summary>
/// The migration half of the kernel's <c>vfio_main.c</c>, with what every variant driver repeats: it makes states and a data stream of a
/// variant's arcs (<see cref="VfioDevice.Migration"/>). Thread-safe. One to a device, for as long as the device exists.
/// </summary>
/// <remarks>
/// Changes of state, and questions about it, wait for each other as they do for the kernel's state mutex. A reset
/// (<see cref="VfioDevice.WasReset"/>) waits for nobody: it ends the data stream at once, and the state is RUNNING as soon as the step that
/// is under way has returned. A change of state that a reset came into ends there: ECANCELED, unless RUNNING was asked for or the last step
/// was made; a stream that it returns is over.
/// </remarks>
public sealed partial class MigrationService : IMigrationOps
{
    private const MigrationCapabilities Known = MigrationCapabilities.StopCopy | MigrationCapabilities.P2P | MigrationCapabilities.PreCopy;

    private readonly Lock _lock = new();
    private readonly DeferredReset _held;
    private readonly VariantCalls _variant;
    private readonly PipeOptions _savingPipe;
    private readonly PipeOptions _resumingPipe;
    private volatile MigrationState _state = MigrationState.Running;
    private volatile bool _tellsNewInitial;
    private DataSession? _session;
    private Task _earlier = Task.CompletedTask;
    private MigrationRequest? _request;
    private long _resets;
    private long _appliedResets;
    private bool _closing;

    /// <summary>Takes over a device's migration, and listens to its resets.</summary>
    /// <param name="device">A device with a <see cref="VfioDevice.Migration"/>.</param>
    /// <param name="logger">Where a variant's faults are logged.</param>
    /// <exception cref="VfioException">The device has no migration (ENOTTY), or one without STOP_COPY (EINVAL).</exception>
    public MigrationService(VfioDevice device, ILogger? logger = null)
        : this(device, logger, MemoryPool<byte>.Shared)
    {
    }

    internal MigrationService(VfioDevice device, ILogger? logger, MemoryPool<byte> pool)
    {
        var migration = device.Migration ?? throw new VfioException(Errno.ENOTTY, "The device does not migrate: it has no Migration.");
        Capabilities = migration.Capabilities & Known;
        if (!Capabilities.HasFlag(MigrationCapabilities.StopCopy))
            throw new VfioException(Errno.EINVAL, "A device that migrates must have STOP_COPY among its capabilities.");
        _variant = new(migration, logger ?? NullLogger.Instance);
        _held = new(ApplyReset);

        // 256 KiB and 16 MiB: smaller ones cost up to half of the throughput. Resuming has a bound of its own, see ResumingSession.
        const int Segment = 256 << 10;
        const int Most = 16 << 20;
        _savingPipe = new(
            pool,
            pauseWriterThreshold: Most,
            resumeWriterThreshold: Most / 2,
            minimumSegmentSize: Segment,
            useSynchronizationContext: false);
        _resumingPipe = new(pool, pauseWriterThreshold: 0, minimumSegmentSize: Segment, useSynchronizationContext: false);
        device.WasReset += OnReset;
    }

    /// <inheritdoc/>
    public MigrationCapabilities Capabilities { get; }

    /// <summary>The state, as it is at this moment of a change that may be under way.</summary>
    internal MigrationState State => _state;

    /// <summary>Completes when nothing of the variant runs any more in a session that is over. For tests.</summary>
    internal Task Settled => _earlier;

    /// <inheritdoc/>
    public async ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken)
    {
        await _held.EnterAsync(cancellationToken).ConfigureAwait(false);

        // Who is told that a reset has led to RUNNING must find it there, also before the reset has come this far.
        var state = IsResetComing ? MigrationState.Running : _state;
        _held.Exit();
        return state;
    }

    /// <inheritdoc/>
    public ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken)
        => ValueTask.FromResult(_variant.StopCopySize);

    /// <inheritdoc/>
    public ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken)
    {
        if (!Capabilities.HasFlag(MigrationCapabilities.PreCopy))
            return ValueTask.FromResult<VfioResult>(Errno.EINVAL);
        _tellsNewInitial = true;
        return ValueTask.FromResult(VfioResult.Success);
    }
}
