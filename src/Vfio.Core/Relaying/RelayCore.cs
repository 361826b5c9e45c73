using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Relaying;

namespace Vfio.Core;

/// <summary>
/// The core over a function that something below has virtualized already (<see cref="IPciFunction.Virtualized"/>): every call goes to the
/// device below as it came. It adds what a variant asks for, regions of its own and to be told of resets, and nothing else: no permission
/// tables, no VF token, no device set. Thread-safe.
/// </summary>
/// <remarks>
/// Resets that are announced: those that come by here (DEVICE_RESET, hot reset, open, close, and the FLR bits of PCI Express Device Control
/// and Advanced Features Control where the function has them), before and after they go down; those that the device below tells of by
/// itself (<see cref="VfioDevice.WasReset"/>), once they have happened. While the device is closed every request is answered with EINVAL.
/// </remarks>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "A SemaphoreSlim whose wait handle is never asked for holds nothing that needs disposing.")]
public sealed class RelayCore : IVfioPciCore
{
    private readonly VfioDevice _device;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private volatile RelaySession? _session;

    /// <summary>Creates the core over a function; nothing is touched until it is enabled.</summary>
    /// <param name="function">The function, <see cref="FunctionVirtualization.ByKernel"/>.</param>
    /// <param name="logger">Where it logs; null for nowhere.</param>
    /// <exception cref="VfioException">EOPNOTSUPP: the function is raw, and needs a core that virtualizes it.</exception>
    public RelayCore(IPciFunction function, ILogger? logger = null)
    {
        if (function.Virtualization != FunctionVirtualization.ByKernel || function.Virtualized is not { } device)
        {
            throw new VfioException(
                Errno.EOPNOTSUPP, $"{function.Address}: a relay needs a function that is a vfio device already, and this one is raw");
        }

        Function = function;
        _device = device;
        _logger = logger ?? NullLogger.Instance;
    }

    /// <inheritdoc/>
    public IPciFunction Function { get; }

    /// <inheritdoc/>
    public DeviceInfo Info => _session is { } session
        ? _device.Info with { RegionCount = session.Added.End }
        : new(DeviceFlags.Pci, RegionIndex.FixedCount, IrqInfo.IndexCount);

    /// <inheritdoc/>
    public bool MemoryEnabled => _session is { MemoryEnabled: true };

    /// <inheritdoc/>
    public IrqIndex? ActiveIrqIndex => _session?.Irq.Index;

    /// <inheritdoc/>
    public async ValueTask<VfioResult> EnableAsync(VfioOpenContext context, IPciResetHooks hooks, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_session is not null)
                return Errno.EBUSY;
            var session = new RelaySession(Function, _device, context.Dma, hooks, _logger);
            var opened = await session.OpenAsync(context, cancellationToken).ConfigureAwait(false);
            _session = opened.IsSuccess ? session : null;
            return opened;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask CloseAsync(ResetCause cause)
    {
        var session = Interlocked.Exchange(ref _session, null);
        if (session is null)
            return;
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            await session.CloseAsync(cause).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public VfioResult<RegionInfo> GetRegionInfo(int region)
        => _session is not { } session ? Errno.EINVAL
            : session.Added.Contains(region) ? session.Added.Info(region)
            : _device.GetRegionInfo(region);

    /// <inheritdoc/>
    public VfioResult<IrqInfo> GetIrqInfo(int index) => _session is null ? Errno.EINVAL : _device.GetIrqInfo(index);

    /// <inheritdoc/>
    public VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (_session is not { } session)
            return Errno.EINVAL;
        if (session.Added.Contains(region))
            return destination.IsEmpty ? 0 : session.Added.Read(region, offset, destination);
        session.Gate.EnterShared();
        try
        {
            return session.Gate.IsOver ? Errno.EIO : _device.Read(region, offset, destination);
        }
        finally
        {
            session.Gate.ExitShared();
        }
    }

    /// <inheritdoc/>
    public VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (_session is not { } session)
            return Errno.EINVAL;
        if (session.Added.Contains(region))
            return source.IsEmpty ? 0 : session.Added.Write(region, offset, source);
        if (region == RegionIndex.Config && session.Registers.CauseOf(offset, source) is { } cause)
            return session.WriteReset(cause, offset, source);
        session.Gate.EnterShared();
        try
        {
            return session.Gate.IsOver ? Errno.EIO : _device.Write(region, offset, source);
        }
        finally
        {
            session.Gate.ExitShared();
        }
    }

    /// <inheritdoc/>
    public VfioResult<RegionMapping> Map(int region)
        => _session is not { } session ? Errno.EINVAL
            : session.Added.Contains(region) ? session.Added.Map(region)
            : _device.Map(region);

    /// <inheritdoc/>
    public VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region)
        => _session is not { } session ? Errno.EINVAL
            : session.Added.Contains(region) ? new VfioResult<IReadOnlyList<RegionIoEventFd>>([])
            : _device.GetIoEventFds(region);

    /// <inheritdoc/>
    public VfioResult<int> SetIrqs(in IrqSet set)
    {
        if (_session is not { } session)
        {
            set.DisposeEventFds();
            return Errno.EINVAL;
        }

        session.Gate.EnterShared();
        try
        {
            if (session.Gate.IsOver)
            {
                set.DisposeEventFds();
                return Errno.EINVAL;
            }

            var answer = _device.SetIrqs(set);
            if (answer is { IsSuccess: true, Value: 0 })
                session.Irq.Follow(set);
            return answer;
        }
        finally
        {
            session.Gate.ExitShared();
        }
    }

    /// <inheritdoc/>
    public ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        if (_session is not { } session)
            return ValueTask.FromResult<VfioResult>(Errno.EINVAL);
        // What cannot be reset says so, and nobody is told of a reset that cannot be.
        return _device.Info.Flags.HasFlag(DeviceFlags.Reset)
            ? session.ResetAsync(cause, () => _device.ResetAsync(cause, cancellationToken), cancellationToken)
            : _device.ResetAsync(cause, cancellationToken);
    }

    /// <inheritdoc/>
    public VfioResult SetIoEventFd(int region, ulong offset, int width, ulong data, SafeFileHandle? eventFd)
    {
        if (_session is not { } session)
            return Errno.EINVAL;
        session.Gate.EnterShared();
        try
        {
            return session.Gate.IsOver ? Errno.EINVAL : _device.SetIoEventFd(region, offset, width, data, eventFd);
        }
        finally
        {
            session.Gate.ExitShared();
        }
    }

    /// <inheritdoc/>
    public VfioResult<HotResetInfo> GetHotResetInfo() => _session is null ? Errno.EINVAL : _device.GetHotResetInfo();

    /// <inheritdoc/>
    public ValueTask<VfioResult> HotResetAsync(CancellationToken cancellationToken)
    {
        if (_session is not { } session)
            return ValueTask.FromResult<VfioResult>(Errno.EINVAL);
        return _device.GetHotResetInfo() is { IsSuccess: true, Value.IsOwned: true }
            ? session.TryResetAsync(ResetCause.HotReset, () => _device.HotResetAsync(cancellationToken))
            : _device.HotResetAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
        => _session is null ? Errno.EINVAL : _device.Feature(request, input, output);

    /// <inheritdoc/>
    /// <remarks>
    /// The eventfd that the client gave for it is with the device below, which may be in another process: it is fired there by a loopback
    /// (SET_IRQS, TRIGGER with DATA_NONE).
    /// </remarks>
    public void RequestRelease(int count)
    {
        const IrqSetFlags Fire = IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger;
        if (_session is null || _device.SetIrqs(new() { Flags = Fire, Index = (uint)IrqIndex.Request, Count = 1 }).IsSuccess || count != 0)
            return;
        _logger.LogWarning("{Function}: the host wants the device back, and its client has not said how to be asked", Function.Address);
    }

    /// <inheritdoc/>
    public VfioResult<int> RegisterRegion(DeviceRegion region) => _session is { } session ? session.Added.Add(region) : Errno.EINVAL;
}
