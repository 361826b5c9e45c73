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
        LineMap? lines = null;
        try
        {
            lines = LineMap.Read(json);
            var document = JsonSerializer.Deserialize(json, TopologyJson.Default.TopologyDocument)
                ?? throw new TopologyException(origin, 1, "$", "an object with a list of models is wanted");
            Check(document, new DefinitionCheck(origin, lines, "$"));
            return new(document);
        }
        catch (JsonException e)
        {
            // Text that is no JSON has no places but the reader's own; of others the serializer knows where it noticed, not where the fault
            // lies.
            var place = e.Path ?? "$";
            throw new TopologyException(origin, lines?.LineOf(place) ?? (int)(e.LineNumber + 1 ?? 0), place, Reason(e), e);
        }
    }

    /// <summary>The definition as <see cref="Parse"/> reads it.</summary>
    public string ToJson() => JsonSerializer.Serialize(_document, TopologyJson.Default.TopologyDocument);

    private static void Check(TopologyDocument document, DefinitionCheck check)
    {
        var taken = new HashSet<PciAddress>();
        for (var i = 0; i < document.Models.Count; i++)
        {
            var at = check.In("models", i);
            var model = at.Element(document.Models[i]);
            model.Check(at);
            foreach (var address in model.Addresses())
                at.That(taken.Add(address), "address", $"there are two functions at {address}");
        }
    }

    // The reader and the serializer append the place, which the exception has of its own.
    private static string Reason(JsonException e)
    {
        var end = e.Message.Length;
        foreach (var appended in (ReadOnlySpan<string>)[" Path: ", " LineNumber: "])
        {
            var at = e.Message.IndexOf(appended, StringComparison.Ordinal);
            if (at >= 0)
                end = Math.Min(end, at);
        }

        return e.Message[..end];
    }
}
