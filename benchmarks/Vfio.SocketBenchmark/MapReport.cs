using System.Globalization;

namespace Vfio.SocketBenchmark;

/// <summary>DMA_MAP and DMA_UNMAP of single pages, as a client with a virtual IOMMU sends them, by how many maps there are.</summary>
internal static class MapReport
{
    private const int Pairs = 10_000;

    public static void Run(string peer, string directory, int serverCpu)
    {
        Console.WriteLine($"one 4 KiB page mapped and unmapped, {Pairs} times, each request waiting for its reply");
        Console.WriteLine("memory      maps live    map + unmap us    pairs a second    server's processor time a request us");
        var path = Path.Combine(directory, "maps");
        using var server = new Peer(serverCpu, Environment.ProcessPath!, "--serve", path);
        server.ReadLine();
        for (var i = 0; i < 3; i++)
            Ask("sealed", 1);
        foreach (var memory in new[] { "sealed", "unsealed" })
        {
            foreach (var live in new[] { 1, 1_000, 60_000, 65_534 })
            {
                var before = server.ProcessorTime;
                var nanoseconds = Ask(memory, live);
                var processor = (server.ProcessorTime - before).TotalMicroseconds / ((2 * Pairs) + live);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{memory,-10} {live,10} {nanoseconds / 1000,17:F1} {1e9 / nanoseconds,17:F0} {processor,41:F1}"));
            }
        }

        double Ask(string memory, int live)
        {
            using var client = new Peer(0, peer, "maps", path, memory, $"{live}", $"{Pairs}");
            var figures = client.ReadLine().Split(' ');
            server.ReadLine();
            return double.Parse(figures[1], CultureInfo.InvariantCulture);
        }
    }
}
