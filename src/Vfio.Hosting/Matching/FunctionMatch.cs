namespace Vfio.Hosting;

/// <summary>A driver that takes part in matching. Made for people and for JSON.</summary>
/// <param name="Name">The driver's name.</param>
/// <param name="Origin">Where it comes from: <c>built in</c>, <c>linked</c>, or the plugin and its version.</param>
/// <param name="Ids">What it matches, as aliases.</param>
public sealed record DriverStatus(string Name, string Origin, IReadOnlyList<string> Ids);

/// <summary>Which driver serves a function, and why each other does not. Made for people and for JSON.</summary>
/// <param name="Function">The function's address.</param>
/// <param name="Alias">Its identity, as an alias with no wildcards.</param>
/// <param name="Driver">The driver that serves it; null if none does.</param>
/// <param name="Reason">What is missing for a degraded function, or why no driver serves it; null if all is well.</param>
/// <param name="Profile">The profile that is chosen; null without a driver.</param>
/// <param name="Profiles">The profiles to choose from; empty without a driver.</param>
/// <param name="Migration">What the device can do: <c>stop-copy</c>, <c>p2p</c>, <c>pre-copy</c>, <c>dirty-tracking</c>, as the kernel's
/// debugfs has it.</param>
/// <param name="Candidates">Every driver, in the order in which they are asked, then those that do not match.</param>
public sealed record FunctionMatch(
    string Function,
    string Alias,
    string? Driver,
    string? Reason,
    string? Profile,
    IReadOnlyList<string> Profiles,
    IReadOnlyList<string> Migration,
    IReadOnlyList<CandidateMatch> Candidates);

/// <summary>One driver's part in a match.</summary>
/// <param name="Driver">The driver's name.</param>
/// <param name="Origin">Where it comes from.</param>
/// <param name="Alias">The entry of its id table that fits best; null if none does.</param>
/// <param name="Wildcards">How many of the alias's seven fields are wildcards; fewer is better. Null without an alias.</param>
/// <param name="Verdict">What became of it.</param>
/// <param name="Reason">Why, in a sentence; null for the driver that serves the function with all it can do.</param>
public sealed record CandidateMatch(string Driver, string Origin, string? Alias, int? Wildcards, CandidateVerdict Verdict, string? Reason);

/// <summary>What became of a candidate driver.</summary>
public enum CandidateVerdict
{
    /// <summary>It serves the function with all it can do.</summary>
    Bound,

    /// <summary>It serves the function with less than it could.</summary>
    Degraded,

    /// <summary>It was asked, and does not serve the function.</summary>
    Refused,

    /// <summary>It was asked, and threw, or did not answer in time, or answered nonsense.</summary>
    Failed,

    /// <summary>It was not asked: a better one serves the function, it does not match, or another was named.</summary>
    Passed,
}
