using System.Text.Json;
using Vfio.WireVectors.Running;

namespace Vfio.WireVectors.Output;

/// <summary>Says how vectors went: lines for people, or one JSON object for programs.</summary>
internal sealed class Report(TextWriter output, bool isJson, bool isVerbose, string? peer)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private readonly List<VectorResult> _results = [];

    public bool IsGood => _results.Any(result => result.IsPassed) && _results.All(result => result.IsPassed || result.SkipReason is not null);

    public void Add(VectorResult result)
    {
        _results.Add(result);
        if (isJson || (result.IsPassed && !isVerbose) || result.SkipReason is not null)
            return;
        output.WriteLine($"{(result.IsPassed ? "passed" : "FAILED")} {result.Vector.Setup}: {result.Vector.Name}");
        foreach (var difference in result.Differences)
            output.WriteLine($"       {difference}");
    }

    public void Summary()
    {
        var passed = _results.Where(result => result.IsPassed).ToList();
        var skipped = _results.Where(result => result.SkipReason is not null).ToList();
        var asRecorded = passed.Count(result => peer is not null && result.Vector.Differs is not null);
        if (isJson)
        {
            output.WriteLine(JsonSerializer.Serialize(new
            {
                passed = passed.Count,
                asRecorded,
                failed = _results.Count - passed.Count - skipped.Count,
                skipped = skipped.Count,
                assertions = _results.Sum(result => result.Assertions),
                vectors = _results.Select(result => new
                {
                    name = result.Vector.Name,
                    test = result.Vector.Test,
                    setup = result.Vector.Setup,
                    status = result.IsPassed ? "passed" : result.SkipReason is null ? "failed" : "skipped",
                    reason = result.SkipReason,
                    differences = result.Differences,
                }),
            }, Indented));
            return;
        }

        foreach (var setup in skipped.GroupBy(result => result.SkipReason))
            output.WriteLine($"skipped {setup.Count()}: {setup.Key}");
        var other = asRecorded > 0 ? $" ({asRecorded} of them with an answer of its own that docs/differences.md explains)" : "";
        output.WriteLine($"{passed.Count} passed{other}, {_results.Count - passed.Count - skipped.Count} failed, {skipped.Count} skipped; "
            + $"{_results.Sum(result => result.Assertions)} comparisons");
    }
}
