namespace Vfio.Simulation.Tests.Guest;

/// <summary>A topology that is powered on for one test.</summary>
internal sealed class Fixture : IAsyncDisposable
{
    private readonly SimulatedTopology _topology;

    private Fixture(SimulatedTopology topology, IReadOnlyList<IPciFunction> functions)
    {
        _topology = topology;
        Functions = functions;
    }

    public IReadOnlyList<IPciFunction> Functions { get; }

    public SimulatedTopology Topology => _topology;

    public IPciFunction Pf => Functions[0];

    public IPciFunction Vf(int index) => Functions[index + 1];

    public static async Task<Fixture> CreateAsync(string? json = null, SimulationOptions? options = null)
    {
        var topology = new SimulatedTopology(json is null ? TopologyDefinition.Default : TopologyDefinition.Parse(json, "test.json"), options);
        return new(topology, await topology.DiscoverAsync(TestContext.Current.CancellationToken));
    }

    public ValueTask DisposeAsync() => _topology.DisposeAsync();
}
