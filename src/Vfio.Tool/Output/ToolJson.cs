using System.Text.Json.Serialization;
using Vfio.Hosting;
using Vfio.Hosting.Plugins;
using Vfio.Tool.Commands;
using Vfio.Tool.Migration;

namespace Vfio.Tool.Output;

/// <summary>The documents that <c>--json</c> prints.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(IReadOnlyList<ListedFunction>))]
[JsonSerializable(typeof(FunctionMatch))]
[JsonSerializable(typeof(IReadOnlyList<PluginStatus>))]
[JsonSerializable(typeof(ShownFunction))]
[JsonSerializable(typeof(MigrationReport))]
internal sealed partial class ToolJson : JsonSerializerContext;
