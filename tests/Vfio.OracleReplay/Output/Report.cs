using Vfio.OracleReplay.Recording;
using Vfio.OracleReplay.Rows;

namespace Vfio.OracleReplay.Output;

/// <summary>Tells what comes of each row, and at the end of all of them.</summary>
internal sealed class Report(TextWriter output, bool isVerbose)
{
    private readonly Dictionary<string, Tally> _tallies = [];

    /// <summary>Lines that could not be replayed, for what they hold.</summary>
    public int Problems { get; private set; }

    public int Passed => _tallies.Values.Sum(t => t.Passed);

    public int Failed => _tallies.Values.Sum(t => t.Failed);

    /// <summary>Whether something was compared, nothing of it failed, and no line was left out for what it holds.</summary>
    public bool IsGood => Passed > 0 && Failed == 0 && Problems == 0;

    public void Note(string device, string what) => output.WriteLine($"note: {device}: {what}");

    public void Problem(int line, string what)
    {
        Problems++;
        output.WriteLine($"line {line}: {what}");
    }

    public void Row(RecordedRow row, RowResult result)
    {
        var tally = Of(row.Kind);
        if (result.Reason is { } reason)
        {
            tally.Leave(reason);
            if (isVerbose)
                output.WriteLine($"line {row.Line}: {Describe(row)}: not comparable: {reason}");
        }
        else if (result.IsPassed)
        {
            tally.Passed++;
            if (isVerbose)
                output.WriteLine($"line {row.Line}: {Describe(row)}: passed");
        }
        else
        {
            tally.Failed++;
            output.WriteLine($"line {row.Line}: {Describe(row)}: "
                + string.Join("; ", result.Differences.Select(d => $"{d.What}: expected {d.Expected}, actual {d.Actual}")));
        }
    }

    public void Threw(RecordedRow row, Exception thrown)
    {
        Of(row.Kind).Failed++;
        var message = thrown.Message.ReplaceLineEndings(" ");
        output.WriteLine($"line {row.Line}: {Describe(row)}: expected an answer, actual {thrown.GetType().Name}: {message}");
    }

    /// <summary>The sums, for each kind of row and for all.</summary>
    public void Summary()
    {
        var kinds = RowKinds.All.Where(kind => _tallies.ContainsKey(kind.Name)).ToList();
        foreach (var kind in kinds)
        {
            foreach (var (reason, count) in _tallies[kind.Name].Reasons)
                output.WriteLine($"not comparable: {kind.Name}, {count} {(count == 1 ? "row" : "rows")}: {reason}");
            if (kind.LeftOut is not null)
                output.WriteLine($"not comparable: {kind.Name}, of each row: {kind.LeftOut}");
        }

        foreach (var kind in kinds)
        {
            var tally = _tallies[kind.Name];
            var rest = tally.NotComparable > 0 ? $", {tally.NotComparable} not comparable" : "";
            output.WriteLine($"{kind.Name}: {tally.Passed} passed, {tally.Failed} failed{rest}");
        }

        if (Problems > 0)
            output.WriteLine($"{Problems} {(Problems == 1 ? "line" : "lines")} could not be replayed for what they hold");
        if (_tallies.Values.Sum(t => t.NotComparable) is > 0 and var left)
            output.WriteLine($"{left} not comparable");
        output.WriteLine($"{Passed} passed, {Failed} failed");
    }

    private static string Describe(RecordedRow row)
    {
        var inputs = RowKinds.Find(row.Kind)!.Inputs.Where(row.Has).ToList();
        return $"{row.Device} {row.Kind}" + (inputs.Count > 0 ? ", " + row.Inputs(inputs) : "");
    }

    private Tally Of(string kind)
    {
        if (!_tallies.TryGetValue(kind, out var tally))
            _tallies.Add(kind, tally = new());
        return tally;
    }
}
