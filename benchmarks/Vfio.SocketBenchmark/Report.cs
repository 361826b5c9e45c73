using System.Text.Json;

namespace Vfio.SocketBenchmark;

/// <summary>One round: the C echo and our server, one right after the other. Nanoseconds.</summary>
internal sealed record Round(double EchoP50, double EchoP99, double OursP50, double OursP99, double BytesPerAccess);

/// <summary>All rounds of one placement; every figure is the median over the rounds.</summary>
internal sealed record Placement(string Name, IReadOnlyList<Round> Rounds)
{
    public double EchoP50 => Median(round => round.EchoP50);

    public double EchoP99 => Median(round => round.EchoP99);

    public double OursP50 => Median(round => round.OursP50);

    public double OursP99 => Median(round => round.OursP99);

    public double RatioP50 => Median(round => round.OursP50 / round.EchoP50);

    public double RatioP99 => Median(round => round.OursP99 / round.EchoP99);

    public double BytesPerAccess => Rounds.Max(round => round.BytesPerAccess);

    private double Median(Func<Round, double> figure)
    {
        var sorted = Rounds.Select(figure).Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}

internal static class Report
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static void Print(IReadOnlyList<Placement> placements, int count, bool asJson)
    {
        if (asJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(new { roundTrips = count, placements }, Indented));
            return;
        }

        Console.WriteLine($"4-byte REGION_READ, {count} round trips a round, medians over {placements[0].Rounds.Count} interleaved rounds");
        Console.WriteLine("placement    C echo p50 / p99 us    Vfio.User p50 / p99 us    ratio p50 / p99    bytes allocated an access");
        foreach (var place in placements)
        {
            Console.WriteLine(
                $"{place.Name,-10} {place.EchoP50 / 1000,12:F2} / {place.EchoP99 / 1000,-8:F2}"
                + $" {place.OursP50 / 1000,14:F2} / {place.OursP99 / 1000,-9:F2}"
                + $" {place.RatioP50,8:F2} / {place.RatioP99,-6:F2} {place.BytesPerAccess,16:F3}");
        }
    }
}
