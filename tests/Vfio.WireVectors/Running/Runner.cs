using System.Diagnostics;
using Vfio.WireVectors.Model;
using Vfio.WireVectors.Wire;

namespace Vfio.WireVectors.Running;

/// <summary>Runs vectors against the servers of their set-ups.</summary>
internal sealed class Runner(IServers servers, string? peer, Action<VectorResult> done)
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(10), Pause = TimeSpan.FromMilliseconds(5);

    public async Task RunAsync(IEnumerable<Vector> vectors, CancellationToken cancellationToken)
    {
        foreach (var setup in vectors.GroupBy(vector => vector.Setup))
        {
            var server = await servers.StartAsync(setup.Key, cancellationToken).ConfigureAwait(false);
            if (server is null)
            {
                foreach (var vector in setup)
                    done(new(vector, [], 0, $"no server of the set-up {setup.Key}"));
                continue;
            }

            await using (server.ConfigureAwait(false))
            {
                foreach (var vector in setup)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    done(Run(vector, server));
                }
            }
        }
    }

    private VectorResult Run(Vector vector, IServedSetup server)
    {
        var (socket, trouble) = Connect(server);
        if (socket is null)
            return new(vector, [trouble!], 0);
        using var run = new VectorRun(vector, socket, peer);
        var differences = run.Run();
        return new(vector, differences, run.Assertions);
    }

    // A server that was just started is not there at once, and nothing but trying tells.
    private static (WireSocket? Socket, string? Trouble) Connect(IServedSetup server)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (WireSocket.TryConnect(server.SocketPath) is { } socket)
                return (socket, null);
            if (server.Trouble is { } trouble)
                return (null, trouble);
            if (Stopwatch.GetElapsedTime(started) > StartPatience)
                return (null, $"nobody listens at {server.SocketPath}");
            Polling.Wait([], Pause);
        }
    }
}
