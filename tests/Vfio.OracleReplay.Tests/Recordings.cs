using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Tests;

/// <summary>The recordings that are copied into the project.</summary>
internal static class Recordings
{
    /// <summary>What the vfio-pci of Debian's Linux 6.12 answered for ten functions.</summary>
    public const string Linux = "linux-6.12-vfio-pci.jsonl.gz";

    private static readonly Lazy<RecordingFile> LinuxFile = new(() => RecordingFile.Read(Path(Linux)));
    private static readonly Lazy<string[]> LinuxLines = new(() => Lines(Linux));

    public static RecordingFile Oracle => LinuxFile.Value;

    public static string Path(string name) => System.IO.Path.Combine(AppContext.BaseDirectory, "Recordings", name);

    /// <summary>The rows of one function of the oracle, as objects to alter.</summary>
    public static List<JsonObject> Of(string device)
        => [.. LinesOf(device).Select(line => JsonNode.Parse(line)!.AsObject())];

    /// <summary>The rows of a whole file, as objects to alter.</summary>
    public static List<JsonObject> OfFile(string name) => [.. Lines(name).Select(line => JsonNode.Parse(line)!.AsObject())];

    /// <summary>The lines of one function of the oracle.</summary>
    public static string[] LinesOf(string device)
        => [.. LinuxLines.Value.Where(line => line.Contains($"\"{device}\"", StringComparison.Ordinal))];

    private static string[] Lines(string name)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(Path(name)), CompressionMode.Decompress), Encoding.UTF8);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
