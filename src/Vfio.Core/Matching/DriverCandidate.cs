namespace Vfio.Core;

/// <summary>What the table makes of one driver for one function.</summary>
/// <param name="Registered">The driver.</param>
/// <param name="Entry">The best entry of its id table; null if none matches.</param>
/// <param name="IsEligible">Whether the driver would be asked to probe: at once, or after those before it in the list have refused.</param>
/// <param name="Reason">Why it comes first, or why it lost: a sentence for people.</param>
public sealed record DriverCandidate(RegisteredDriver Registered, PciIdMatch? Entry, bool IsEligible, string Reason)
{
    /// <summary>The driver.</summary>
    public VariantDriver Driver => Registered.Driver;

    /// <summary>How many of the entry's seven fields are wildcards; 8 where no entry matches, so that fewer is always better.</summary>
    public int Wildcards => Entry?.Wildcards ?? 8;
}
