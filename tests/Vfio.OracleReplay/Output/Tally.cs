namespace Vfio.OracleReplay.Output;

/// <summary>What came of the rows of one kind.</summary>
internal sealed class Tally
{
    private readonly Dictionary<string, int> _reasons = [];

    public int Passed { get; set; }

    public int Failed { get; set; }

    public int NotComparable => _reasons.Values.Sum();

    /// <summary>Why rows were not compared, and how many.</summary>
    public IReadOnlyDictionary<string, int> Reasons => _reasons;

    public void Leave(string reason) => _reasons[reason] = _reasons.GetValueOrDefault(reason) + 1;
}
