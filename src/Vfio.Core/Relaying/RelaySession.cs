using Microsoft.Extensions.Logging;
using Vfio.Core.Regions;
using Vfio.Core.Reset;

namespace Vfio.Core.Relaying;

/// <summary>What a relay has while the device below is open.</summary>
/// <remarks>
/// The gate is there for the hooks: as over a raw function, nobody else's access is under way while a variant is told of a reset. The
/// device below has locks of its own, which come after it.
/// </remarks>
internal sealed class RelaySession
{
    private readonly IPciFunction _function;
    private readonly ResetNotifier _notifier;
    private readonly ILogger _logger;
    private readonly Action _cancelTransfers;
    private volatile bool _isCarryingOut;

    public RelaySession(IPciFunction function, VfioDevice device, IDmaSpace dma, IPciResetHooks hooks, ILogger logger)
    {
        _function = function;
        _logger = logger;
        _cancelTransfers = dma.CancelTransfers;
        _notifier = new(Gate, hooks);
        Device = device;
    }

    /// <summary>The device below.</summary>
    public VfioDevice Device { get; }

    public AccessGate Gate { get; } = new();

    /// <summary>Its regions with those of the variant. There once it is open, as is the next.</summary>
    public DeviceRegions Added { get; private set; } = new(RegionIndex.FixedCount);

    public RelayRegisters Registers { get; private set; } = null!;

    public ActiveIrq Irq { get; } = new();

    /// <summary>Whether memory BARs answer, as the configuration space below has it.</summary>
    public bool MemoryEnabled => !Gate.IsOver && Registers.IsMemoryEnabled(Device, _function.VirtualFunctionIndex >= 0);

    public async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        await Gate.CloseAsync(_cancelTransfers, cancellationToken).ConfigureAwait(false);
        bool isBelowOpen = false, isOpen = false;
        try
        {
            var opened = await CarryOutAsync(ResetCause.Open, OpenBelowAsync).ConfigureAwait(false);
            if (!opened.IsSuccess)
                return opened;
            Added = new(Math.Max(Device.Info.RegionCount, RegionIndex.FixedCount));
            Registers = RelayRegisters.Find(Device);
            Device.WasReset += Announce;
            isOpen = true;
            return opened;
        }
        finally
        {
            Gate.IsOver = !isOpen;
            // A hook has thrown.
            if (isBelowOpen && !isOpen)
                await Device.CloseAsync(ResetCause.Close).ConfigureAwait(false);
            Gate.Open();
        }

        async ValueTask<VfioResult> OpenBelowAsync()
        {
            var opened = await Device.OpenAsync(context, cancellationToken).ConfigureAwait(false);
            isBelowOpen = opened.IsSuccess;
            return opened;
        }
    }

    /// <summary>Resets with nothing else under way, telling the variant before and after, whatever comes of it.</summary>
    public async ValueTask<VfioResult> ResetAsync(
        ResetCause cause, Func<ValueTask<VfioResult>> reset, CancellationToken cancellationToken)
    {
        await Gate.CloseAsync(_cancelTransfers, cancellationToken).ConfigureAwait(false);
        try
        {
            return Gate.IsOver ? Errno.EINVAL : await CarryOutAsync(cause, reset).ConfigureAwait(false);
        }
        finally
        {
            Gate.Open();
        }
    }

    /// <summary>As <see cref="ResetAsync"/>, unless somebody is in.</summary>
    public async ValueTask<VfioResult> TryResetAsync(ResetCause cause, Func<ValueTask<VfioResult>> reset)
    {
        if (!Gate.TryClose())
            return Errno.EBUSY;
        try
        {
            return Gate.IsOver ? Errno.EINVAL : await CarryOutAsync(cause, reset).ConfigureAwait(false);
        }
        finally
        {
            Gate.Open();
        }
    }

    /// <summary>Makes the configuration write that resets the function, and is back when the function is.</summary>
    public VfioResult<int> WriteReset(ResetCause cause, ulong offset, ReadOnlySpan<byte> source)
    {
        var entered = Gate.EnterAlone(_cancelTransfers);
        try
        {
            if (Gate.IsOver)
                return Errno.EIO;
            _notifier.Prepare(cause);
            try
            {
                _isCarryingOut = true;
                return Device.Write(RegionIndex.Config, offset, source);
            }
            finally
            {
                _isCarryingOut = false;
                _notifier.Done(cause);
            }
        }
        finally
        {
            Gate.ExitAlone(entered);
        }
    }

    /// <summary>Closes the device below, whatever a hook throws.</summary>
    public async ValueTask CloseAsync(ResetCause cause)
    {
        var steps = new ClosingSteps();
        Device.WasReset -= Announce;
        await Gate.CloseAsync(_cancelTransfers, CancellationToken.None).ConfigureAwait(false);
        Gate.IsOver = true;
        var isPrepared = false;
        steps.Try(() =>
        {
            _notifier.Prepare(cause);
            isPrepared = true;
        });
        await steps.TryAsync(() => Device.CloseAsync(cause)).ConfigureAwait(false);
        if (isPrepared)
            steps.Try(() => _notifier.Done(cause));
        Gate.Open();
        steps.ThrowFirst();
    }

    // The gate is held alone.
    private async ValueTask<VfioResult> CarryOutAsync(ResetCause cause, Func<ValueTask<VfioResult>> reset)
    {
        _notifier.Prepare(cause);
        try
        {
            _isCarryingOut = true;
            return await reset().ConfigureAwait(false);
        }
        finally
        {
            _isCarryingOut = false;
            _notifier.Done(cause);
        }
    }

    // A reset that nobody asked for here: of the slot or bus through a neighbour, or out of D3hot. It is told once it has happened, and
    // from another thread: this one may hold the locks of the device below, or be in an access of ours.
    private void Announce(ResetCause cause)
    {
        if (!_isCarryingOut)
            _ = Task.Run(() => AnnounceAsync(cause));
    }

    private async Task AnnounceAsync(ResetCause cause)
    {
        try
        {
            await ResetAsync(cause, () => ValueTask.FromResult(VfioResult.Success), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            _logger.LogError(fault, "{Function}: the variant failed at a reset of the device below ({Cause})", _function.Address, cause);
        }
    }
}
