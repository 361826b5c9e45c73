using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>
/// A VFIO device over a PCI function. Every member does what the core does; a variant overrides those that differ, and calls <c>base</c>
/// (or another member of <see cref="Core"/>) where the kernel's variant calls <c>vfio_pci_core_*</c>.
/// </summary>
public class VfioPciDevice : VfioDevice, IPciResetHooks
{
    private volatile bool _owesClose;

    /// <summary>Creates the device.</summary>
    /// <param name="core">The core over its function.</param>
    public VfioPciDevice(IVfioPciCore core) => Core = core;

    /// <summary>The core.</summary>
    protected IVfioPciCore Core { get; }

    /// <summary>The function underneath.</summary>
    protected IPciFunction Function => Core.Function;

    /// <inheritdoc/>
    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        var opened = await Core.EnableAsync(context, this, cancellationToken).ConfigureAwait(false);
        if (opened.IsSuccess)
            _owesClose = true;
        return opened;
    }

    /// <inheritdoc/>
    public override async ValueTask CloseAsync(ResetCause cause)
    {
        try
        {
            await Core.CloseAsync(cause).ConfigureAwait(false);
        }
        finally
        {
            // A function that cannot be reset is closed without a reset: whoever drives a migration must hear of that too.
            if (_owesClose)
            {
                _owesClose = false;
                RaiseWasReset(cause);
            }
        }
    }

    /// <inheritdoc/>
    public override DeviceInfo Info => Core.Info;

    /// <inheritdoc/>
    public override VfioResult<RegionInfo> GetRegionInfo(int region) => Core.GetRegionInfo(region);

    /// <inheritdoc/>
    public override VfioResult<IrqInfo> GetIrqInfo(int index) => Core.GetIrqInfo(index);

    /// <inheritdoc/>
    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => Core.Read(region, offset, destination);

    /// <inheritdoc/>
    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => Core.Write(region, offset, source);

    /// <inheritdoc/>
    public override VfioResult<RegionMapping> Map(int region) => Core.Map(region);

    /// <inheritdoc/>
    public override VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region) => Core.GetIoEventFds(region);

    /// <inheritdoc/>
    public override VfioResult<int> SetIrqs(in IrqSet set) => Core.SetIrqs(set);

    /// <inheritdoc/>
    public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
        => Core.ResetAsync(cause, cancellationToken);

    /// <inheritdoc/>
    public override VfioResult SetIoEventFd(int region, ulong offset, int width, ulong data, SafeFileHandle? eventFd)
        => Core.SetIoEventFd(region, offset, width, data, eventFd);

    /// <inheritdoc/>
    public override VfioResult<HotResetInfo> GetHotResetInfo() => Core.GetHotResetInfo();

    /// <inheritdoc/>
    public override ValueTask<VfioResult> HotResetAsync(CancellationToken cancellationToken) => Core.HotResetAsync(cancellationToken);

    /// <inheritdoc/>
    public override VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
        => Core.Feature(request, input, output);

    /// <inheritdoc/>
    public override void RequestRelease(int count) => Core.RequestRelease(count);

    /// <inheritdoc/>
    /// <remarks>
    /// The migration of what is underneath, where that is a vfio device already; a variant that migrates by itself hides it.
    /// </remarks>
    public override IMigrationOps? MigrationOps => Migration is null ? Function.Virtualized?.MigrationOps : null;

    /// <inheritdoc/>
    public override IDmaLogging? DmaLogging => Function.Virtualized?.DmaLogging;

    /// <inheritdoc/>
    public override bool IsDmaMediated => Function.IsDmaMediated;

    /// <inheritdoc/>
    /// <remarks>What the device underneath has to say of itself, where the function is one already.</remarks>
    public override IEnumerable<KeyValuePair<string, string>> Describe() => Function.Virtualized?.Describe() ?? [];

    /// <summary>The function is about to be reset, whoever asked for it.</summary>
    /// <param name="cause">Why.</param>
    protected virtual void ResetPrepare(ResetCause cause)
    {
    }

    /// <summary>
    /// The function has been reset. Must not wait for a lock under which a stream is touched: see <see cref="DeferredReset"/>.
    /// </summary>
    /// <param name="cause">Why.</param>
    protected virtual void ResetDone(ResetCause cause)
    {
    }

    void IPciResetHooks.ResetPrepare(ResetCause cause) => ResetPrepare(cause);

    void IPciResetHooks.ResetDone(ResetCause cause)
    {
        try
        {
            ResetDone(cause);
        }
        finally
        {
            // Whoever drives a migration must hear of the reset, even if the variant fails at it.
            if (cause is ResetCause.Close or ResetCause.ClientLost)
                _owesClose = false;
            RaiseWasReset(cause);
        }
    }
}
