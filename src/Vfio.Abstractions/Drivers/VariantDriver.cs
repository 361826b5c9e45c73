using Microsoft.Extensions.Logging;

namespace Vfio;

/// <summary>
/// What a vendor writes: a driver that recognizes functions and puts a device object of its own over each. One instance serves all of them.
/// </summary>
public abstract class VariantDriver
{
    /// <summary>The driver's name, as <c>vfio explain</c> shows it and <c>--driver</c> takes it.</summary>
    public abstract string Name { get; }

    /// <summary>The functions it is for.</summary>
    public abstract IReadOnlyList<PciIdMatch> Ids { get; }

    /// <summary>Looks at a function that an id matched, and binds to it, degrades, or refuses.</summary>
    /// <param name="context">The function and what surrounds it.</param>
    /// <param name="cancellationToken">The host gives up: the function goes to the next candidate.</param>
    public abstract ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken);
}

/// <summary>What a driver is given to decide about a function.</summary>
public sealed record ProbeContext
{
    /// <summary>The core over the function.</summary>
    public required IVfioPciCore Core { get; init; }

    /// <summary>The directory of controlling functions.</summary>
    public required IControllingFunctions Controllers { get; init; }

    /// <summary>Where the driver logs; already named after the driver and the function.</summary>
    public required ILogger Logger { get; init; }

    /// <summary>The host's clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The function.</summary>
    public IPciFunction Function => Core.Function;
}

/// <summary>What a driver decided.</summary>
public sealed class ProbeResult
{
    private ProbeResult(ProbeOutcome outcome, VfioDevice? device, string? reason)
    {
        Outcome = outcome;
        Device = device;
        Reason = reason;
    }

    /// <summary>The decision.</summary>
    public ProbeOutcome Outcome { get; }

    /// <summary>The device; null if the driver refused.</summary>
    public VfioDevice? Device { get; }

    /// <summary>Why it degraded or refused, in a sentence for people.</summary>
    public string? Reason { get; }

    /// <summary>The driver serves the function with all it can do.</summary>
    /// <param name="device">The device.</param>
    public static ProbeResult Bound(VfioDevice device) => new(ProbeOutcome.Bound, device, null);

    /// <summary>The driver serves the function with less than it could.</summary>
    /// <param name="device">The device.</param>
    /// <param name="reason">What is missing, and why.</param>
    public static ProbeResult Degraded(VfioDevice device, string reason) => new(ProbeOutcome.Degraded, device, reason);

    /// <summary>The driver does not serve the function; the next candidate is asked.</summary>
    /// <param name="reason">Why.</param>
    public static ProbeResult Refused(string reason) => new(ProbeOutcome.Refused, null, reason);
}

/// <summary>What a driver decided about a function.</summary>
public enum ProbeOutcome
{
    /// <summary>Bound, whole.</summary>
    Bound,

    /// <summary>Bound, with something missing.</summary>
    Degraded,

    /// <summary>Not bound.</summary>
    Refused,
}
