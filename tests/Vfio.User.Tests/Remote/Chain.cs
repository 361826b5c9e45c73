using Vfio.Core;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Remote;

/// <summary>A client, a server of ours over a remote function, and the server that has its device.</summary>
internal sealed class Chain : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("vfio-chain-").FullName;
    private Task _running = Task.CompletedTask;

    private Chain(RunningServer far) => Far = far;

    /// <summary>The server that has the device.</summary>
    public RunningServer Far { get; }

    /// <summary>The remote function, once it was found.</summary>
    public IPciFunction Function { get; private set; } = null!;

    /// <summary>The device that is served in front.</summary>
    public VfioDevice Near { get; private set; } = null!;

    public string Path => System.IO.Path.Combine(_directory, "s");

    public static async Task<Chain> StartAsync(
        Func<IVfioPciCore, VfioDevice>? variant = null, VfioUserServerOptions? far = null, VfioUserServerOptions? near = null)
    {
        var chain = new Chain(await RunningServer.StartAsync(far));
        try
        {
            var source = new VfioUserFunctionSource([new(chain.Far.Path)]);
            chain.Function = Assert.Single(await source.DiscoverAsync(TestContext.Current.CancellationToken));
            chain.Far.Device.Events.Clear();
            var core = VfioPciCores.Over(chain.Function);
            chain.Near = variant?.Invoke(core) ?? new VfioPciDevice(core);
            var server = new VfioUserServer(chain.Near, near);
            chain._running = server.RunAsync(VfioUserEndpoint.Path(chain.Path), chain._stop.Token);
            await server.Listening;
            return chain;
        }
        catch
        {
            await chain.DisposeAsync();
            throw;
        }
    }

    public TestClient Connect() => TestClient.ConnectAndNegotiate(Path);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(TimeSpan.FromSeconds(30));
        await Far.DisposeAsync();
        _stop.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
