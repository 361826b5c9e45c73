using Vfio.User;
using Vfio.WireVectors.Running;

namespace Vfio.WireVectors.Setups;

/// <summary>Our own server for each set-up, in this process.</summary>
internal sealed class OurServers : IServers
{
    public async ValueTask<IServedSetup?> StartAsync(string setup, CancellationToken cancellationToken)
    {
        if (Setup.Find(setup) is not { } found)
            return null;
        var served = new Served(found);
        await served.Listening.ConfigureAwait(false);
        return served;
    }

    /// <summary>Serves until it is cancelled.</summary>
    public static async Task ServeAsync(Setup setup, string path, CancellationToken cancellationToken)
    {
        using var device = setup.Make();
        await new VfioUserServer(device, setup.Options).RunAsync(VfioUserEndpoint.Path(path), cancellationToken).ConfigureAwait(false);
    }

    private sealed class Served : IServedSetup
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vectors-");
        private readonly SetupDevice _device;
        private readonly VfioUserServer _server;
        private readonly Task _serving;

        public Served(Setup setup)
        {
            SocketPath = Path.Combine(_directory.FullName, "socket");
            _device = setup.Make();
            _server = new(_device, setup.Options);
            _serving = _server.RunAsync(VfioUserEndpoint.Path(SocketPath), _stop.Token);
        }

        public Task Listening => _server.Listening;

        public string SocketPath { get; }

        public string? Trouble => _serving.IsCompleted ? $"the server has ended: {_serving.Exception?.Message}" : null;

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await _serving.ConfigureAwait(false);
            _device.Dispose();
            _stop.Dispose();
            _directory.Delete(recursive: true);
        }
    }
}
