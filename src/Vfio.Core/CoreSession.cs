using Microsoft.Extensions.Logging;
using Vfio.Core.Config;
using Vfio.Core.EventFds;
using Vfio.Core.Features;
using Vfio.Core.Interrupts;
using Vfio.Core.Regions;
using Vfio.Core.Reset;
using Vfio.Core.Sets;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core;

/// <summary>Everything that an open device has; gone when it is closed.</summary>
/// <remarks>
/// Order of the locks: the function's turn (<see cref="SetMember.Turn"/>), interrupt set-up, the access gate, the virtual configuration
/// space's, the INTx line's. None is taken inside a later one, and the function is never called inside the last.
/// </remarks>
internal sealed class CoreSession
{
    private readonly IPciFunction _function;
    private readonly ShadowConfig _shadow;
    private readonly ConfigSnapshot _pristine;
    private readonly VfTokenUse _token;

    public CoreSession(
        IPciFunction function,
        ILogger logger,
        VfioPciCoreOptions options,
        SetMember member,
        AccessGate gate,
        ResetNotifier notifier,
        PowerControl power,
        ConfigSnapshot pristine,
        IDmaSpace dma,
        bool resets,
        VfTokenUse token)
    {
        _function = function;
        _pristine = pristine;
        _token = token;
        Member = member;
        DeviceId = options.Sets.NextDeviceId();
        HotReset = function.HotResetDomain is { } domain ? new(options.Sets, domain, logger) : null;
        Gate = gate;
        Power = power;
        Dma = dma;
        ResetWorks = resets;
        var builder = new ConfigMapBuilder(function, logger, options.HideIntx);
        var header = builder.Build();
        _shadow = builder.Shadow;
        Config = new(function, builder.Map, _shadow, gate);
        Reset = new(function, builder.Map, power, notifier);
        Interrupts = new(function, builder.Map, _shadow, Config, options.HideIntx, logger);
        Regions = new(function, builder.Map, Config, gate, options, () => MemoryEnabled);
        LowPower = new(gate, power, Interrupts, dma.CancelTransfers);
        Features = new(token.Own, LowPower);
        IoEventFds = new(Regions, gate, power, EventFdWatcher.Shared, logger);
        gate.Passable = IoEventFds.Resume;
        var context = new TrapContext(
            function, builder.Map, _shadow, Config, gate, power, Reset, Interrupts, dma.CancelTransfers, options.HideIntx);
        header.Trap = new HeaderTrap(context, header);
        foreach (var (block, rule) in builder.Trapped)
            block.Trap = rule.Trap!(context, block);
    }

    public AccessGate Gate { get; }

    public PowerControl Power { get; }

    public IDmaSpace Dma { get; }

    public VirtualConfig Config { get; }

    public FunctionReset Reset { get; }

    public InterruptController Interrupts { get; }

    public RegionTable Regions { get; }

    public IoEventFds IoEventFds { get; }

    public LowPower LowPower { get; }

    public CoreFeatures Features { get; }

    /// <summary>What it is among the functions of its process.</summary>
    public SetMember Member { get; }

    /// <summary>Its number to whoever owns it, above 0.</summary>
    public int DeviceId { get; }

    /// <summary>Resets its slot or bus; null where there is none.</summary>
    public HotReset? HotReset { get; }

    /// <summary>Whether the reset at open succeeded.</summary>
    public bool ResetWorks { get; }

    /// <summary>Whether memory BARs answer.</summary>
    public bool MemoryEnabled
        => !Gate.IsOver && Power.State < PowerControl.D3Hot
            && (_function.VirtualFunctionIndex >= 0 || (_shadow.Read(Command, 2) & CommandMemory) != 0);

    /// <summary>Lets the function reach the client: an open that fails leaves it without memory and nobody to tell of errors.</summary>
    public void Connect()
    {
        _function.ConnectDma(Dma);
        try
        {
            _function.OnUncorrectableError(Interrupts.ReportError);
        }
        catch
        {
            _function.ConnectDma(null);
            throw;
        }
    }

    /// <summary>Resets the function with nothing else under way.</summary>
    public async ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        if (!ResetWorks)
            return Errno.EINVAL;
        await Gate.CloseAsync(Dma.CancelTransfers, cancellationToken).ConfigureAwait(false);
        try
        {
            return Gate.IsOver ? Errno.EINVAL : await Reset.RunAsync(cause, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Gate.Open();
        }
    }

    /// <summary>
    /// Ends all that the function does for this client, and leaves it as it was found. A back end or a hook that throws stops none of it:
    /// what was left on would act for a client that is gone.
    /// </summary>
    public async ValueTask CloseAsync(ResetCause cause)
    {
        LowPower.Close();
        _token.End();
        var steps = new ClosingSteps();
        // First of all: a function that loses its state asleep gets it back when it wakes, bus mastering included.
        await steps.TryAsync(WakeAsync).ConfigureAwait(false);
        steps.Try(() => Config.MergeHardware(Command, 2, CommandMaster, 0));
        steps.Try(() => _function.OnUncorrectableError(null));
        steps.Try(Interrupts.Close);
        steps.Try(IoEventFds.Close);
        await Gate.CloseAsync(Dma.CancelTransfers, CancellationToken.None).ConfigureAwait(false);
        Gate.IsOver = true;
        Member.NeedsReset = true;
        steps.Try(() => _pristine.Restore(_function));
        if (ResetWorks)
            await steps.TryAsync(() => ResetAtCloseAsync(cause)).ConfigureAwait(false);
        if (HotReset is not null)
            await steps.TryAsync(() => HotReset.RunAtCloseAsync(this, cause)).ConfigureAwait(false);
        Gate.Open();
        steps.Try(() => _function.ConnectDma(null));
        steps.ThrowFirst();
    }

    private async ValueTask WakeAsync()
    {
        await Gate.CloseAsync(Dma.CancelTransfers, CancellationToken.None).ConfigureAwait(false);
        try
        {
            LowPower.Close();
            Power.Set(PowerControl.D0);
        }
        finally
        {
            Gate.Open();
        }
    }

    private async ValueTask ResetAtCloseAsync(ResetCause cause)
    {
        if ((await Reset.RunAsync(cause, CancellationToken.None).ConfigureAwait(false)).IsSuccess)
            Member.NeedsReset = false;
    }
}
