using System.Text.Json;

namespace Vfio.Simulation;

/// <summary>Which devices a simulation has: models, addresses, VFs and storage. Immutable; README.md describes the properties.</summary>
public sealed class TopologyDefinition
{
    private readonly TopologyDocument _document;

    private TopologyDefinition(TopologyDocument document) => _document = document;

    /// <summary>The embedded topology: one PF and VFs of each simulated family, on temporary storage.</summary>
    public static TopologyDefinition Default { get; } = new(DefaultTopology.Create());

    internal IReadOnlyList<ModelDefinition> Models => _document.Models;

    /// <summary>Reads a definition. Comments and trailing commas are allowed.</summary>
    /// <param name="json">The text.</param>
    /// <param name="origin">Where it came from, for messages: a file name.</param>
    /// <exception cref="TopologyException">The text is no definition, or one that cannot be built.</exception>
    public static TopologyDefinition Parse(string json, string origin)
    {
        try
        {
            var lines = LineMap.Read(json);
            var document = JsonSerializer.Deserialize(json, TopologyJson.Default.TopologyDocument)
                ?? throw new TopologyException(origin, 1, "$", "an object with a list of models is wanted");
            Check(document, new DefinitionCheck(origin, lines, "$"));
            return new(document);
        }
        catch (JsonException e)
        {
            throw new TopologyException(origin, (int)(e.LineNumber + 1 ?? 0), e.Path ?? "$", Reason(e), e);
        }
    }

    /// <summary>The definition as <see cref="Parse"/> reads it.</summary>
    public string ToJson() => JsonSerializer.Serialize(_document, TopologyJson.Default.TopologyDocument);

    private static void Check(TopologyDocument document, DefinitionCheck check)
    {
        var taken = new HashSet<PciAddress>();
        for (var i = 0; i < document.Models.Count; i++)
        {
            var model = document.Models[i];
            var at = check.In("models", i);
            model.Check(at);
            foreach (var address in model.Addresses())
                at.That(taken.Add(address), "address", $"there are two functions at {address}");
        }
    }

    // The serializer appends the place, which the exception has of its own.
    private static string Reason(JsonException e)
    {
        var place = e.Message.IndexOf(" Path: ", StringComparison.Ordinal);
        return place < 0 ? e.Message : e.Message[..place];
    }
}
