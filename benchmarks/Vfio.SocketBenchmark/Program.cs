using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Vfio;
using Vfio.SocketBenchmark;
using Vfio.User;

// A round trip of the server against the least that any program could do: a C program that answers the same messages. A neutral C client
// asks both.
if (args is ["--serve", var served])
    return await ServeAsync(new RegisterDevice(), served);
if (args is ["--serve-state", var servedState, var size])
    return await ServeAsync(new StateDevice(long.Parse(size, CultureInfo.InvariantCulture)), servedState);
if (Option("--help") is not null || args.Any(argument => !argument.StartsWith("--", StringComparison.Ordinal)))
{
    Console.WriteLine("Vfio.SocketBenchmark [--rounds=N] [--count=N] [--json]");
    Console.WriteLine("Vfio.SocketBenchmark --maps");
    Console.WriteLine("Vfio.SocketBenchmark --stop-copy [--rounds=N] [--mebibytes=N] [--read=KIB]");
    Console.WriteLine("Needs gcc and taskset. Run it in Release, on a machine that does nothing else.");
    return 2;
}

var rounds = Number("--rounds", 7);
var count = Number("--count", 30_000);
var directory = Directory.CreateTempSubdirectory("vfio-bench-").FullName;
try
{
    var peer = await BuildPeerAsync(directory);
    var cpus = Environment.ProcessorCount;
    if (Option("--maps") is not null)
    {
        MapReport.Run(peer, directory, Math.Min(1, cpus - 1));
        return 0;
    }

    if (Option("--stop-copy") is not null)
    {
        await StopCopyReport.RunAsync(peer, directory, rounds, (long)Number("--mebibytes", 1024) << 20, Number("--read", 4096) << 10);
        return 0;
    }

    List<Placement> placements = [Measure("same CPU", 0, 0)];
    if (cpus > 1)
        placements.Add(Measure("cross CPU", 0, 1));
    Report.Print(placements, count, Option("--json") is not null);
    return 0;

    Placement Measure(string name, int clientCpu, int serverCpu)
    {
        var echoPath = Path.Combine(directory, $"echo-{serverCpu}");
        var oursPath = Path.Combine(directory, $"ours-{serverCpu}");
        using var echo = new Peer(serverCpu, peer, "echo", echoPath);
        using var ours = new Peer(serverCpu, Environment.ProcessPath!, "--serve", oursPath);
        echo.ReadLine();
        ours.ReadLine();

        // Until everything on the way is compiled at the highest tier.
        for (var i = 0; i < 3; i++)
            Ask(clientCpu, oursPath, ours);
        return new Placement(name, [.. Enumerable.Range(0, rounds).Select(_ =>
        {
            var (echoP50, echoP99, _) = Ask(clientCpu, echoPath, null);
            var (oursP50, oursP99, bytes) = Ask(clientCpu, oursPath, ours);
            return new Round(echoP50, echoP99, oursP50, oursP99, bytes);
        })]);
    }

    (double P50, double P99, double Bytes) Ask(int cpu, string path, Peer? server)
    {
        using var client = new Peer(cpu, peer, "client", path, $"{count}");
        var figures = client.ReadLine().Split(' ').Select(figure => double.Parse(figure, CultureInfo.InvariantCulture)).ToArray();
        var closed = server?.ReadLine().Split(' ');
        var bytes = closed is ["closed", var accesses, var allocated]
            ? double.Parse(allocated, CultureInfo.InvariantCulture) / double.Parse(accesses, CultureInfo.InvariantCulture) : 0;
        return (figures[0], figures[1], bytes);
    }
}
finally
{
    Directory.Delete(directory, recursive: true);
}

string? Option(string name)
    => args.FirstOrDefault(argument => argument == name || argument.StartsWith(name + "=", StringComparison.Ordinal));

int Number(string name, int otherwise)
    => Option(name)?.Split('=') is [_, var text] && int.TryParse(text, CultureInfo.InvariantCulture, out var value) && value > 0
        ? value : otherwise;

static async Task<string> BuildPeerAsync(string directory)
{
    var source = Path.Combine(directory, "peer.c");
    var program = Path.Combine(directory, "peer");
    await using (var text = Assembly.GetExecutingAssembly().GetManifestResourceStream("peer.c")!)
    await using (var file = File.Create(source))
        await text.CopyToAsync(file);
    using var gcc = Process.Start("gcc", ["-O2", "-Wall", "-o", program, source]);
    await gcc.WaitForExitAsync();
    return gcc.ExitCode == 0 ? program : throw new InvalidOperationException("gcc does not build the peers");
}

static async Task<int> ServeAsync(VfioDevice device, string path)
{
    var server = new VfioUserServer(device);
    var running = server.RunAsync(VfioUserEndpoint.Path(path), CancellationToken.None);
    await server.Listening;
    Console.WriteLine("listening");
    await running;
    return 0;
}
