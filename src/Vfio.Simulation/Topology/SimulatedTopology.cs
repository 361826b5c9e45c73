using Microsoft.Extensions.Logging;

namespace Vfio.Simulation;

/// <summary>Simulated functions, built from a definition; they live until this is disposed. Thread-safe.</summary>
public sealed class SimulatedTopology : IFunctionSource, IAsyncDisposable
{
    /// <summary>Takes the definition; nothing is created before <see cref="DiscoverAsync"/>.</summary>
    /// <param name="definition">What to build.</param>
    /// <param name="options">How to drive it; null for the defaults.</param>
    /// <param name="logger">Where the devices log; null for nowhere.</param>
    public SimulatedTopology(TopologyDefinition definition, SimulationOptions? options = null, ILoggerFactory? logger = null)
    {
        _ = definition;
    }

    /// <inheritdoc/>
    public string Name => "simulation";

    /// <summary>Powers the devices on: storage is created, VFs are enabled. Later calls return the same functions.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The functions, in address order.</returns>
    /// <exception cref="VfioException">Storage cannot be had.</exception>
    public ValueTask<IReadOnlyList<IPciFunction>> DiscoverAsync(CancellationToken cancellationToken) => new(Array.Empty<IPciFunction>());

    /// <summary>Who controls a VF: its PF, which offers <see cref="ICommandChannel"/>.</summary>
    /// <param name="controlled">The VF.</param>
    /// <returns>The PF; null for a function that is no VF of this topology.</returns>
    public IControllingFunction? ControllerOf(PciAddress controlled) => null;

    /// <summary>Stops every device and removes temporary storage.</summary>
    public ValueTask DisposeAsync() => default;
}
