using System.Diagnostics;
using System.Globalization;
using Vfio.User;

namespace Vfio.SocketBenchmark;

/// <summary>A device's state read through the service, the server and the client, against a plain copy through such a socket.</summary>
internal static class StopCopyReport
{
    private const int PlainChunk = 256 << 10;

    public static async Task RunAsync(string peer, string directory, int rounds, long bytes, int readSize)
    {
        Console.WriteLine($"stop-copy of {bytes >> 20} MiB, read {readSize >> 10} KiB at a time, against send and recv of {PlainChunk >> 10} KiB in C");
        Console.WriteLine("round    plain GiB/s    stop-copy GiB/s    ratio");
        var plainPath = Path.Combine(directory, "plain");
        var statePath = Path.Combine(directory, "state");
        using var plain = Peer.Anywhere(peer, "send", plainPath, $"{PlainChunk}", $"{bytes}");
        using var server = Peer.Anywhere(Environment.ProcessPath!, "--serve-state", statePath, $"{bytes}");
        plain.ReadLine();
        server.ReadLine();
        var ratios = new List<double>();
        var buffer = GC.AllocateUninitializedArray<byte>(readSize, pinned: true);

        // Until everything on the way is compiled at the highest tier.
        await StopCopyAsync(statePath, bytes, buffer);
        for (var round = 1; round <= rounds; round++)
        {
            var before = Plain(peer, plainPath);
            var ours = await StopCopyAsync(statePath, bytes, buffer);
            var reference = (before + Plain(peer, plainPath)) / 2;
            ratios.Add(ours / reference);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{round,5} {reference,14:F2} {ours,18:F2} {ratios[^1],8:F2}"));
        }

        ratios.Sort();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"median ratio {ratios[ratios.Count / 2]:F2}"));
    }

    private static double Plain(string peer, string path)
    {
        using var taker = Peer.Anywhere(peer, "take", path, $"{PlainChunk}");
        var figures = taker.ReadLine().Split(' ').Select(figure => double.Parse(figure, CultureInfo.InvariantCulture)).ToArray();
        return figures[0] / (1 << 30) / (figures[1] / 1e9);
    }

    private static async Task<double> StopCopyAsync(string path, long bytes, byte[] buffer)
    {
        var device = new VfioUserDevice(VfioUserEndpoint.Path(path));
        var opened = await device.OpenAsync(new VfioOpenContext { Dma = new DmaSpace() }, CancellationToken.None);
        if (!opened.IsSuccess)
            throw new InvalidOperationException($"the server's device does not open: {opened.Error}");
        var begun = await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, CancellationToken.None);
        var stream = begun.Value ?? throw new InvalidOperationException($"no stream: {begun.Error}");
        var watch = Stopwatch.StartNew();
        var done = 0L;
        while (true)
        {
            var read = await stream.ReadAsync(buffer, CancellationToken.None);
            if (!read.IsSuccess)
                throw new InvalidOperationException($"the stream ends with {read.Error} after {done} bytes");
            if (read.Value == 0)
                break;
            done += read.Value;
        }

        var seconds = watch.Elapsed.TotalSeconds;
        await stream.DisposeAsync();
        await device.CloseAsync(ResetCause.Close);
        return done == bytes ? (double)bytes / (1 << 30) / seconds : throw new InvalidOperationException($"{done} of {bytes} bytes");
    }
}
