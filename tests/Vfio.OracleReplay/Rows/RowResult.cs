namespace Vfio.OracleReplay.Rows;

/// <summary>What came of replaying one row.</summary>
internal sealed class RowResult
{
    private RowResult(IReadOnlyList<Difference> differences, string? reason)
    {
        Differences = differences;
        Reason = reason;
    }

    public static RowResult Passed { get; } = new([], null);

    public IReadOnlyList<Difference> Differences { get; }

    /// <summary>Why the row cannot be compared; null if it was.</summary>
    public string? Reason { get; }

    public bool IsPassed => Reason is null && Differences.Count == 0;

    public static RowResult NotComparable(string reason) => new([], reason);

    public static RowResult Of(Comparison comparison)
        => comparison.Differences.Count == 0 ? Passed : new([.. comparison.Differences], null);
}

/// <summary>Something that a row holds and the replay does not.</summary>
/// <param name="What">The field, as the recording names it.</param>
/// <param name="Expected">What the row holds.</param>
/// <param name="Actual">What the core answered.</param>
internal sealed record Difference(string What, string Expected, string Actual);

/// <summary>Collects the differences of a row.</summary>
internal sealed class Comparison
{
    public List<Difference> Differences { get; } = [];

    public void Number(string what, long expected, long actual)
    {
        if (expected != actual)
            Differences.Add(new(what, $"{expected}", $"{actual}"));
    }

    public void Hex(string what, ulong expected, ulong actual)
    {
        if (expected != actual)
            Differences.Add(new(what, $"{expected:x}h", $"{actual:x}h"));
    }

    public void Text(string what, string expected, string actual)
    {
        if (expected != actual)
            Differences.Add(new(what, expected, actual));
    }

    /// <summary>Compares bytes; of many, the dwords that differ are told, the first few of them.</summary>
    public void Bytes(string what, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        const int Dword = 4, Most = 8;
        if (expected.SequenceEqual(actual))
            return;
        if (expected.Length <= 2 * Dword || expected.Length != actual.Length)
        {
            Differences.Add(new(what, Convert.ToHexStringLower(expected), Convert.ToHexStringLower(actual)));
            return;
        }

        var told = 0;
        for (var at = 0; at < expected.Length && told < Most; at += Dword)
        {
            var left = expected[at..Math.Min(at + Dword, expected.Length)];
            var right = actual[at..Math.Min(at + Dword, actual.Length)];
            if (left.SequenceEqual(right))
                continue;
            Differences.Add(new($"{what} at {at:x}h", Convert.ToHexStringLower(left), Convert.ToHexStringLower(right)));
            told++;
        }
    }
}
