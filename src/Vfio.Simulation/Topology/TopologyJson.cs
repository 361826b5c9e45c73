using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vfio.Simulation;

/// <summary>The whole of a definition, as JSON has it.</summary>
internal sealed record TopologyDocument
{
    public required IReadOnlyList<ModelDefinition> Models { get; set; }
}

/// <summary>How definitions are read and written.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    AllowOutOfOrderMetadataProperties = true,
    RespectNullableAnnotations = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true)]
[JsonSerializable(typeof(TopologyDocument))]
internal sealed partial class TopologyJson : JsonSerializerContext;
