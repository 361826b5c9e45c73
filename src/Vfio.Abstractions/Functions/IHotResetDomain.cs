namespace Vfio;

/// <summary>
/// A slot or a bus that is reset as a whole: every function in it goes down and comes back. Functions of one domain answer the same object.
/// Thread-safe.
/// </summary>
public interface IHotResetDomain
{
    /// <summary>Every function that the reset takes with it, those behind bridges included, in address order.</summary>
    IReadOnlyList<HotResetFunction> Functions { get; }

    /// <summary>
    /// Resets the slot or bus, as <see cref="IPciFunction.ResetAsync"/> resets one function. Called once all accesses to all of its
    /// functions have stopped.
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting; the functions may then be in any state but running.</param>
    /// <returns>ENOTTY: it cannot be reset. EAGAIN: busy. ETIMEDOUT: a function did not come back.</returns>
    ValueTask<VfioResult> ResetAsync(CancellationToken cancellationToken);
}

/// <summary>A function of a <see cref="IHotResetDomain"/>.</summary>
/// <param name="Address">Where it sits.</param>
/// <param name="Group">Its IOMMU group: functions of one group cannot be kept apart, so who has one of them owns all.</param>
public readonly record struct HotResetFunction(PciAddress Address, int Group);
