using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Vfio.Core.Sets;

namespace Vfio.Core.Reset;

/// <summary>
/// Resets a slot or bus with every function in it: the kernel's <c>vfio_pci_dev_set_hot_reset</c> and <c>vfio_pci_dev_set_try_reset</c>.
/// </summary>
/// <remarks>
/// It needs what several devices have one of: their turns and their gates. It only tries for each, and gives all back where one is taken,
/// so that it waits for nobody who might be waiting for it.
/// </remarks>
internal sealed class HotReset(DeviceSets sets, IHotResetDomain domain, ILogger logger)
{
    /// <summary>Which functions it takes with it, and whose they are.</summary>
    /// <param name="caller">Who asks.</param>
    public HotResetInfo Info(CoreSession caller)
        => new([.. domain.Functions.Select(f => new HotResetDevice(f.Address, DeviceId(f, caller)))]);

    /// <summary>Resets for a client.</summary>
    /// <param name="caller">The client's device.</param>
    /// <param name="cancellationToken">Gives up waiting for the functions.</param>
    /// <returns>EINVAL: a function is not the client's. EBUSY: one of them is in use. Else what the slot or bus answered.</returns>
    public async ValueTask<VfioResult> RunAsync(CoreSession caller, CancellationToken cancellationToken)
    {
        if (Targets() is not { } targets)
            return Errno.EINVAL;
        var faults = new List<(ResetTarget Target, Exception Fault)>();
        VfioResult result;
        try
        {
            if (!targets.All(t => t.TryTakeTurn()))
                return Errno.EBUSY;
            if (caller.Member.Session != caller || targets.Any(t => DeviceId(t.Place, caller) == HotResetDevice.NotOwned))
                return Errno.EINVAL;
            if (!targets.All(t => t.TryCloseGate()))
                return Errno.EBUSY;
            result = await ResetAsync(targets, ResetCause.HotReset, faults, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Release(targets);
        }

        // Its own variant's fault is the caller's to know. Another's costs it the answer, and is told where it can be read.
        if (faults.Find(f => f.Target.Session == caller) is { Fault: { } own })
            ExceptionDispatchInfo.Throw(own);
        return result.IsSuccess && faults.Count > 0 ? Errno.EIO : result;
    }

    /// <summary>
    /// A device of the slot or bus is being closed, with its turn and its gate held: resets all if none is open and one of them needs it.
    /// </summary>
    /// <param name="closing">That device.</param>
    /// <param name="cause">Why it is closed.</param>
    public async ValueTask RunAtCloseAsync(CoreSession closing, ResetCause cause)
    {
        // A VF's slot or bus is its PF's, and whoever provisioned the VFs through it would lose them: as the kernel, which has each VF in a
        // set of its own.
        if (Targets() is not { } targets || targets.Any(t => t.Member.Function.VirtualFunctionIndex >= 0))
            return;
        var others = targets.Where(t => t.Member != closing.Member).ToList();
        var faults = new List<(ResetTarget Target, Exception Fault)>();
        try
        {
            if (!others.All(t => t.TryTakeTurn() && t.Session is null) || !targets.Any(t => t.Member.NeedsReset))
                return;
            var result = await ResetAsync(targets, cause, faults, CancellationToken.None).ConfigureAwait(false);
            if (result.IsSuccess)
                targets.ForEach(t => t.Member.NeedsReset = false);
            else if (logger.IsEnabled(LogLevel.Information))
                logger.LogInformation(
                    "{Function}: no reset of its slot or bus at close: {Error}", closing.Member.Function.Address, result.Error);
        }
        finally
        {
            Release(others);
        }

        if (faults.Find(f => f.Target.Member == closing.Member) is { Fault: { } own })
            ExceptionDispatchInfo.Throw(own);
    }

    // Above 0 if it is open with the caller's memory; a closed one is whose the open ones of its group are.
    private int DeviceId(HotResetFunction function, CoreSession caller)
    {
        if (sets.Find(function.Address) is not { } member)
            return HotResetDevice.NotOwned;
        if (member.Session is { } session)
            return ReferenceEquals(session.Dma, caller.Dma) ? session.DeviceId : HotResetDevice.NotOwned;
        var group = domain.Functions.Where(f => f.Group == function.Group).Select(f => sets.Find(f.Address)?.Session).OfType<CoreSession>();
        var memories = group.Select(s => s.Dma).ToList();
        return memories.Count > 0 && memories.All(m => ReferenceEquals(m, caller.Dma)) ? HotResetDevice.Owned : HotResetDevice.NotOwned;
    }

    private List<ResetTarget>? Targets()
    {
        var targets = new List<ResetTarget>();
        foreach (var function in domain.Functions)
        {
            if (sets.Find(function.Address) is not { } member)
                return null;
            targets.Add(new(member, function));
        }

        return targets;
    }

    private async ValueTask<VfioResult> ResetAsync(
        List<ResetTarget> targets, ResetCause cause, List<(ResetTarget, Exception)> faults, CancellationToken cancellationToken)
    {
        try
        {
            return TryBegin(targets, cause, faults) ? await domain.ResetAsync(cancellationToken).ConfigureAwait(false) : Errno.EIO;
        }
        finally
        {
            End(targets, cause, faults);
        }
    }

    private bool TryBegin(List<ResetTarget> targets, ResetCause cause, List<(ResetTarget, Exception)> faults)
    {
        using var owner = new Ownership(targets);
        // Each step for all before the next: a variant that looks at another function finds it awake, and running.
        return TryEach(targets, t => t.Wake(), faults)
            && TryEach(targets, t => t.Prepare(cause), faults)
            && TryEach(targets, t => t.Quiesce(), faults);
    }

    private void End(List<ResetTarget> targets, ResetCause cause, List<(ResetTarget, Exception)> faults)
    {
        using var owner = new Ownership(targets);
        // In address order, so that a PF has its VFs again before they are restored.
        foreach (var target in targets)
            _ = TryEach([target], t => t.Restore(), faults);
        foreach (var target in Enumerable.Reverse(targets))
            _ = TryEach([target], t => t.Done(cause), faults);
    }

    // What one variant throws must not keep the others from being told, or their gates closed.
    private bool TryEach(List<ResetTarget> targets, Action<ResetTarget> step, List<(ResetTarget, Exception)> faults)
    {
        foreach (var target in targets)
        {
            try
            {
                step(target);
            }
            catch (Exception fault)
            {
                logger.LogError(fault, "{Function}: it failed while its slot or bus was reset", target.Place.Address);
                faults.Add((target, fault));
                return false;
            }
        }

        return true;
    }

    private static void Release(List<ResetTarget> targets)
    {
        foreach (var target in Enumerable.Reverse(targets))
            target.Release();
    }

    /// <summary>
    /// This thread speaks for every gate: a hook of one variant may look at another's device, which nobody else could let in.
    /// </summary>
    private readonly struct Ownership : IDisposable
    {
        private readonly List<(AccessGate Gate, int Before)> _gates;

        public Ownership(List<ResetTarget> targets)
            => _gates = [.. targets.Where(t => t.Gate is not null).Select(t => (t.Gate!, t.Gate!.BeginOwner()))];

        public void Dispose() => _gates.ForEach(g => g.Gate.EndOwner(g.Before));
    }
}
