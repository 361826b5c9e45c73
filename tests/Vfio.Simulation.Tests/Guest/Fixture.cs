using Microsoft.Extensions.Logging;

namespace Vfio.Simulation.Tests.Guest;

/// <summary>A topology that is powered on for one test.</summary>
internal sealed class Fixture : IAsyncDisposable
{
    private readonly SimulatedTopology _topology;

    private readonly Failures _failures;

    private Fixture(SimulatedTopology topology, Failures failures, IReadOnlyList<IPciFunction> functions)
    {
        _topology = topology;
        _failures = failures;
        Functions = functions;
    }

    public IReadOnlyList<IPciFunction> Functions { get; }

    public SimulatedTopology Topology => _topology;

    public IPciFunction Pf => Functions[0];

    public IPciFunction Vf(int index) => Functions[index + 1];

    public static async Task<Fixture> CreateAsync(string? json = null, SimulationOptions? options = null)
    {
        var failures = new Failures();
        var definition = json is null ? TopologyDefinition.Default : TopologyDefinition.Parse(json, "test.json");
        var topology = new SimulatedTopology(definition, options, failures);
        return new(topology, failures, await topology.DiscoverAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>What the devices said went wrong; a test that expects it takes it.</summary>
    public IReadOnlyList<string> TakeFailures() => _failures.Take();

    public async ValueTask DisposeAsync()
    {
        await _topology.DisposeAsync();
        Assert.Empty(TakeFailures());
    }

    private sealed class Failures : ILoggerFactory, ILogger
    {
        private readonly List<string> _messages = [];

        public List<string> Take()
        {
            lock (_messages)
            {
                List<string> taken = [.. _messages];
                _messages.Clear();
                return taken;
            }
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_messages)
                _messages.Add($"{formatter(state, exception)} {exception}");
        }

        public void Dispose()
        {
        }
    }
}
