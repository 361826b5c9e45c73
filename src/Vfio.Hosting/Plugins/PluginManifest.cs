using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vfio.Hosting.Plugins;

/// <summary>A plugin's <c>vfio-plugin.json</c>, well-formed and of a contract version that this host has.</summary>
internal sealed class PluginManifest
{
    private const int LargestManifest = 64 * 1024;

    private PluginManifest(ManifestDocument document, Version contract, IReadOnlyList<PluginDriver> drivers)
    {
        Id = document.Id;
        Version = document.Version;
        Entry = document.Entry;
        Description = document.Description;
        Contract = contract;
        Drivers = drivers;
    }

    public string Id { get; }

    public string Version { get; }

    public string Entry { get; }

    public string? Description { get; }

    public Version Contract { get; }

    public IReadOnlyList<PluginDriver> Drivers { get; }

    /// <summary>Reads and checks a folder's manifest. What is known of it before a refusal goes into the draft of its row.</summary>
    public static PluginManifest Read(string folder, PluginStatus draft, out PluginStatus row)
    {
        row = draft;
        var path = Path.Combine(folder, PluginContract.ManifestFile);
        var text = ReadText(path);
        var contract = ReadContract(text, ref row);
        var document = Deserialize(text);
        row = row with { Version = document.Version, Entry = document.Entry, Description = document.Description };
        if (document.Id != Path.GetFileName(folder))
        {
            throw new PluginRefusedException(
                $"{PluginContract.ManifestFile}: id is '{document.Id}', but the folder is '{Path.GetFileName(folder)}'; name the folder after the plugin");
        }

        if (document.Entry.Length == 0 || document.Entry != Path.GetFileName(document.Entry) || document.Entry is "." or "..")
            throw new PluginRefusedException(
                $"{PluginContract.ManifestFile}: entry '{document.Entry}' must be the name of a file in the plugin's folder");
        var drivers = ReadDrivers(document);
        row = row with { Drivers = drivers };
        return new(document, contract, drivers);
    }

    private static byte[] ReadText(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > LargestManifest)
                throw new PluginRefusedException(
                    $"{PluginContract.ManifestFile} is {file.Length} bytes long; at most {LargestManifest} are read");
            var text = new byte[file.Length];
            file.ReadExactly(text);
            return text;
        }
        catch (FileNotFoundException)
        {
            throw new PluginRefusedException($"not a plugin: the folder has no {PluginContract.ManifestFile}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PluginRefusedException($"{PluginContract.ManifestFile} cannot be read: {e.Message}", e);
        }
    }

    // The version comes first: a manifest of a later contract may hold members that this host does not know, and the version is then what
    // to say.
    private static Version ReadContract(byte[] text, ref PluginStatus row)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("contract", out var member)
                || member.ValueKind != JsonValueKind.String || !System.Version.TryParse(member.GetString(), out var contract))
            {
                throw new PluginRefusedException(
                    $"{PluginContract.ManifestFile}: 'contract' must be the version of {PluginContract.Assembly} that the plugin was written for, "
                    + $"for example \"{VfioContract.Version}\"");
            }

            row = row with { Contract = contract.ToString() };
            var host = VfioContract.Version;
            if (contract.Major != host.Major)
            {
                throw new PluginRefusedException(
                    $"written for contract {contract}, this host has {host}: another major version; get the plugin's build for contract {host.Major}.x");
            }

            if (contract.Minor > host.Minor)
            {
                throw new PluginRefusedException(
                    $"written for contract {contract}, this host has {host}: a later one; update the host, or get an earlier build of the plugin");
            }

            return contract;
        }
        catch (JsonException e)
        {
            throw BadJson(e);
        }
    }

    private static ManifestDocument Deserialize(byte[] text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, ManifestJson.Default.ManifestDocument)
                ?? throw new PluginRefusedException($"{PluginContract.ManifestFile} holds null");
        }
        catch (JsonException e)
        {
            throw BadJson(e);
        }
    }

    private static PluginRefusedException BadJson(JsonException e)
    {
        // The serializer appends the place to its message; the line is counted from 0 there and from 1 in every editor.
        var at = e.Message.IndexOf(" Path: ", StringComparison.Ordinal);
        if (at < 0)
            at = e.Message.IndexOf(" LineNumber: ", StringComparison.Ordinal);
        var what = at < 0 ? e.Message : e.Message[..at];
        return new($"{PluginContract.ManifestFile}, line {e.LineNumber.GetValueOrDefault() + 1}: {what}", e);
    }

    private static PluginDriver[] ReadDrivers(ManifestDocument document)
    {
        if (document.Drivers.Count == 0)
            throw new PluginRefusedException($"{PluginContract.ManifestFile}: 'drivers' is empty; a plugin has at least one");
        foreach (var driver in document.Drivers)
        {
            if (string.IsNullOrWhiteSpace(driver.Name))
                throw new PluginRefusedException($"{PluginContract.ManifestFile}: a driver has no name");
            foreach (var id in driver.Ids)
            {
                if (!PciIdMatch.TryParse(id, out _))
                {
                    throw new PluginRefusedException(
                        $"{PluginContract.ManifestFile}: '{id}' of driver '{driver.Name}' is not an alias; one looks like {PciIdMatch.Any}");
                }
            }
        }

        return [.. document.Drivers.Select(d => new PluginDriver(d.Name, d.Ids))];
    }
}

/// <summary>The manifest as JSON has it. A member that is missing, unknown or there twice is an error with its line.</summary>
internal sealed record ManifestDocument
{
    public required string Id { get; init; }

    public required string Version { get; init; }

    public required string Entry { get; init; }

    public required string Contract { get; init; }

    public string? Description { get; init; }

    public required IReadOnlyList<ManifestDriver> Drivers { get; init; }
}

internal sealed record ManifestDriver
{
    public required string Name { get; init; }

    public required IReadOnlyList<string> Ids { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    AllowDuplicateProperties = false)]
[JsonSerializable(typeof(ManifestDocument))]
internal sealed partial class ManifestJson : JsonSerializerContext;
