namespace Vfio.User.Tests.Peers;

/// <summary>A server over a <see cref="TestDevice"/> that migrates and logs its DMA.</summary>
internal sealed class MigratingServer : IAsyncDisposable
{
    private MigratingServer(RunningServer inner) => Inner = inner;

    public RunningServer Inner { get; }

    public FakeMigration Migration { get; } = new();

    public FakeDmaLog Log { get; } = new();

    public string Path => Inner.Path;

    public static async Task<MigratingServer> StartAsync(VfioUserServerOptions? options = null)
    {
        var server = new MigratingServer(await RunningServer.StartAsync(options));
        server.Inner.Device.FakeMigration = server.Migration;
        server.Inner.Device.FakeLog = server.Log;
        return server;
    }

    public TestClient Connect(string capabilities = TestClient.QemuCapabilities) => Inner.Connect(capabilities);

    public ValueTask DisposeAsync() => Inner.DisposeAsync();
}
