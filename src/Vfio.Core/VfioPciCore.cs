using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Sets;

namespace Vfio.Core;

/// <summary>
/// The kernel's vfio-pci-core over a raw function: virtual configuration space, regions, interrupts, reset and features. Thread-safe.
/// </summary>
/// <remarks>
/// While the device is closed every request is answered with EINVAL, as the kernel answers one that comes before access was granted.
/// A guest's FLR is carried out inside its configuration write: that write returns when the function is back.
/// </remarks>
public sealed class VfioPciCore : IVfioPciCore
{
    private readonly ILogger _logger;
    private readonly VfioPciCoreOptions _options;
    private readonly SetMember _member;
    private volatile CoreSession? _session;

    /// <summary>Creates the core over a function; nothing is touched until it is enabled.</summary>
    /// <param name="function">The function, <see cref="FunctionVirtualization.Raw"/>.</param>
    /// <param name="logger">Where it logs; null for nowhere.</param>
    /// <param name="options">How it behaves; null for the defaults.</param>
    /// <exception cref="VfioException">EOPNOTSUPP: somebody below has virtualized the function already.</exception>
    public VfioPciCore(IPciFunction function, ILogger? logger = null, VfioPciCoreOptions? options = null)
    {
        if (function.Virtualization != FunctionVirtualization.Raw)
        {
            throw new VfioException(
                Errno.EOPNOTSUPP,
                $"{function.Address}: its configuration space is virtualized below already, and this core virtualizes raw functions " +
                $"only; {nameof(VfioPciCores)}.{nameof(VfioPciCores.Over)} makes the core that fits");
        }

        Function = function;
        _logger = logger ?? NullLogger.Instance;
        _options = options ?? new();
        _member = _options.Sets.Join(function);
    }

    /// <inheritdoc/>
    public IPciFunction Function { get; }

    /// <inheritdoc/>
    public DeviceInfo Info
    {
        get
        {
            var session = Awake;
            var flags = session is { ResetWorks: true } ? DeviceFlags.Pci | DeviceFlags.Reset : DeviceFlags.Pci;
            return new(flags, session?.Regions.Count ?? RegionIndex.FixedCount, IrqInfo.IndexCount);
        }
    }

    /// <inheritdoc/>
    public bool MemoryEnabled => _session is { MemoryEnabled: true };

    /// <inheritdoc/>
    public IrqIndex? ActiveIrqIndex => _session?.Interrupts.Active;

    /// <inheritdoc/>
    public async ValueTask<VfioResult> EnableAsync(VfioOpenContext context, IPciResetHooks hooks, CancellationToken cancellationToken)
    {
        await _member.Turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // This core has it open, or another over the same function.
            if (_member.Session is not null)
                return Errno.EBUSY;
            var opener = new SessionOpener(Function, _logger, _options, _member);
            var opened = await opener.OpenAsync(context, hooks, cancellationToken).ConfigureAwait(false);
            _session = _member.Session = opened.IsSuccess ? opened.Value : null;
            return opened;
        }
        finally
        {
            _member.Turn.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask CloseAsync(ResetCause cause)
    {
        var session = Interlocked.Exchange(ref _session, null);
        if (session is null)
            return;
        await _member.Turn.WaitAsync().ConfigureAwait(false);
        try
        {
            await session.CloseAsync(cause).ConfigureAwait(false);
        }
        finally
        {
            _member.Session = null;
            _member.Turn.Release();
        }
    }

    /// <inheritdoc/>
    public VfioResult<RegionInfo> GetRegionInfo(int region) => Awake is { } session ? session.Regions.Info(region) : Errno.EINVAL;

    /// <inheritdoc/>
    public VfioResult<IrqInfo> GetIrqInfo(int index) => Awake is { } session ? session.Interrupts.Info(index) : Errno.EINVAL;

    /// <inheritdoc/>
    public VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
        => Awake is { } session ? session.Regions.Read(region, offset, destination) : Errno.EINVAL;

    /// <inheritdoc/>
    public VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
        => Awake is { } session ? session.Regions.Write(region, offset, source) : Errno.EINVAL;

    /// <inheritdoc/>
    public VfioResult<RegionMapping> Map(int region) => Awake is { } session ? session.Regions.Map(region) : Errno.EINVAL;

    /// <inheritdoc/>
    public VfioResult<int> SetIrqs(in IrqSet set)
    {
        CoreSession? session = null;
        try
        {
            session = Awake;
        }
        finally
        {
            // Waking may have thrown.
            if (session is null)
                set.DisposeEventFds();
        }

        return session?.Interrupts.Set(set) ?? Errno.EINVAL;
    }

    /// <inheritdoc/>
    public ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
        => Awake is { } session ? session.ResetAsync(cause, cancellationToken) : ValueTask.FromResult<VfioResult>(Errno.EINVAL);

    /// <inheritdoc/>
    public VfioResult SetIoEventFd(int region, ulong offset, int width, ulong data, SafeFileHandle? eventFd)
        => Awake is { } session ? session.IoEventFds.Set(new(region, offset, width, data), eventFd) : Errno.EINVAL;

    /// <inheritdoc/>
    public VfioResult<HotResetInfo> GetHotResetInfo()
        => Awake is not { } session ? Errno.EINVAL : session.HotReset is { } reset ? reset.Info(session) : Errno.ENODEV;

    /// <inheritdoc/>
    public ValueTask<VfioResult> HotResetAsync(CancellationToken cancellationToken)
    {
        if (Awake is not { } session)
            return ValueTask.FromResult<VfioResult>(Errno.EINVAL);
        return session.HotReset is { } reset ? reset.RunAsync(session, cancellationToken) : ValueTask.FromResult<VfioResult>(Errno.ENODEV);
    }

    /// <inheritdoc/>
    public VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
        => Awake is { } session ? session.Features.Answer(request, input) : Errno.EINVAL;

    /// <inheritdoc/>
    public void RequestRelease(int count)
    {
        if (_session is { } session && !session.Interrupts.Request() && count == 0)
            _logger.LogWarning("{Function}: the host wants the device back, and its client has not said how to be asked", Function.Address);
    }

    /// <inheritdoc/>
    public VfioResult<int> RegisterRegion(DeviceRegion region)
        => _session is { } session ? session.Regions.Device.Add(region) : Errno.EINVAL;

    // Whatever a client asks wakes the function first. An access that comes while it falls asleep wakes it at the gate.
    private CoreSession? Awake
    {
        get
        {
            var session = _session;
            if (session is { Gate.IsAsleep: true })
                session.Gate.Wake();
            return session;
        }
    }
}
