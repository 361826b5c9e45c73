using Vfio.WireVectors.Model;

namespace Vfio.WireVectors.Running;

/// <summary>How a vector went.</summary>
/// <param name="Vector">Which.</param>
/// <param name="Differences">What was not as expected; empty for success.</param>
/// <param name="Assertions">Comparisons that were made.</param>
/// <param name="SkipReason">Why it was not run; null: it was.</param>
internal sealed record VectorResult(Vector Vector, IReadOnlyList<string> Differences, int Assertions, string? SkipReason = null)
{
    public bool IsPassed => SkipReason is null && Differences.Count == 0;
}
