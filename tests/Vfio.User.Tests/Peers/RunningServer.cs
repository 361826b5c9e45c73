using Microsoft.Extensions.Logging;

namespace Vfio.User.Tests.Peers;

/// <summary>A server of a test over a <see cref="TestDevice"/>, on a socket of its own; stopped and checked at the end.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("vfio-user-").FullName;

    private RunningServer(VfioUserServerOptions? options)
    {
        Path = System.IO.Path.Combine(_directory, "s");
        Server = new VfioUserServer(Device, options, Log);
        Running = Server.RunAsync(VfioUserEndpoint.Path(Path), _stop.Token);
    }

    public TestDevice Device { get; } = new();

    public TestLog Log { get; } = new();

    public VfioUserServer Server { get; }

    public string Path { get; }

    public Task Running { get; }

    public static async Task<RunningServer> StartAsync(VfioUserServerOptions? options = null)
    {
        var server = new RunningServer(options);
        await server.Server.Listening;
        return server;
    }

    public TestClient Connect(string capabilities = TestClient.QemuCapabilities) => TestClient.ConnectAndNegotiate(Path, capabilities);

    /// <summary>The server lives: a new client is served.</summary>
    public void AssertServesNext()
    {
        using var client = Connect();
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Running.WaitAsync(TimeSpan.FromSeconds(20));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
        Device.Dispose();
        Assert.False(File.Exists(Path), "the socket is removed");
        Directory.Delete(_directory, recursive: true);
    }
}

/// <summary>What a server said.</summary>
internal sealed class TestLog : ILogger
{
    private readonly Lock _lock = new();
    private readonly List<(LogLevel Level, string Text, Exception? Exception)> _entries = [];

    public IReadOnlyList<(LogLevel Level, string Text, Exception? Exception)> Entries
    {
        get
        {
            lock (_lock)
                return [.. _entries];
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lock)
            _entries.Add((logLevel, formatter(state, exception), exception));
    }
}
