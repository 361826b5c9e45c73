using System.Text.Json;
using Vfio.WireVectors.Model;

namespace Vfio.WireVectors.Loading;

/// <summary>Reads vector files, and refuses whatever the README does not describe.</summary>
internal static class VectorFile
{
    private const string DefaultClient = """{"capabilities":{"max_data_xfer_size":1048576,"max_msg_fds":8}}""";

    private static readonly JsonDocumentOptions Options = new() { CommentHandling = JsonCommentHandling.Disallow };

    /// <exception cref="VectorFileException">A file is not as it should be.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static IReadOnlyList<Vector> ReadAll(IEnumerable<string> paths)
    {
        var vectors = new List<Vector>();
        var names = new Dictionary<string, string>();
        foreach (var path in paths)
        {
            foreach (var vector in Read(File.ReadAllText(path), Path.GetFileName(path)))
            {
                if (!names.TryAdd(vector.Name, vector.Origin))
                    throw new VectorFileException($"{vector.Origin}: \"{vector.Name}\" is in {names[vector.Name]} already");
                vectors.Add(vector);
            }
        }

        return vectors;
    }

    public static IReadOnlyList<Vector> Read(string text, string origin)
    {
        try
        {
            using var document = JsonDocument.Parse(text, Options);
            var file = new Entry(document.RootElement, origin);
            _ = file.Find("about")?.Text();
            var vectors = file.Get("vectors").Items().SelectMany(entry => Vectors(entry, origin)).ToList();
            file.End();
            if (vectors.GroupBy(vector => vector.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
                throw file.Wrong($"\"{twice.Key}\" is there twice");
            return vectors;
        }
        catch (JsonException e)
        {
            throw new VectorFileException($"{origin}: {e.Message}", e);
        }
    }

    private static IEnumerable<Vector> Vectors(Entry unnamed, string origin)
    {
        var name = unnamed.Get("name").Text();
        var entry = new Entry(unnamed.Json, $"{origin}: \"{name}\"");
        var files = new Dictionary<string, FileSpec>();
        foreach (var (file, spec) in entry.Find("files")?.Members() ?? [])
            files.Add(file, Spec(spec));
        var client = entry.Find("client");
        var isRaw = client?.Json.ValueKind == JsonValueKind.Null;
        var steps = entry.Get("steps").Items().SelectMany(StepReader.Read).ToList();
        if (steps.Count == 0)
            throw entry.Wrong("has no steps");
        var vector = new Vector(
            entry.Get("name").Text(), entry.Get("test").Text(), entry.Get("setup").Text(),
            isRaw ? null : client?.Json.GetRawText() ?? DefaultClient, files, steps, entry.Find("differs")?.Text(), origin);
        _ = entry.Find("note")?.Text();
        entry.End();
        CheckNames(vector, entry);
        var recorded = steps.OfType<RequestStep>().Any(step => step.Recorded.Count > 0);
        if (recorded != (vector.Differs is not null))
            throw entry.Wrong("\"differs\" says why, where a peer's answer is recorded beside the one of record, and nowhere else");
        return [vector];
    }

    private static FileSpec Spec(Entry entry)
    {
        var spec = entry.Members().ToList() is [var (kind, value)] ? kind switch
        {
            "eventfd" => new FileSpec(FileKind.EventFd, value.Number(uint.MaxValue)),
            "memory" => new FileSpec(FileKind.Memory, value.Number(1 << 30)),
            "unsealed" => new FileSpec(FileKind.Unsealed, value.Number(1 << 30)),
            _ => null,
        } : null;
        return spec ?? throw entry.Wrong("is none of {\"eventfd\": counter}, {\"memory\": bytes}, {\"unsealed\": bytes}");
    }

    // A name that nothing gives is found here, and not in the middle of a run.
    private static void CheckNames(Vector vector, Entry entry)
    {
        var known = new HashSet<string>(vector.Files.Keys);
        var later = new HashSet<string>();
        foreach (var step in vector.Steps)
        {
            IEnumerable<string> used = step switch
            {
                RequestStep request => request.Dma is { } dma ? [.. request.Descriptors, dma.Memory] : request.Descriptors,
                CounterStep counter => [counter.File],
                SignalStep signal => [signal.File],
                MemoryStep memory => [memory.File],
                SameFileStep same => [same.First, same.Second],
                _ => [],
            };
            if (used.FirstOrDefault(name => !known.Contains(name.Split('[')[0])) is { } unknown)
                throw entry.Wrong($"nothing is called \"{unknown}\"");
            if (step is RequestStep { Reply.Save: { } save })
                known.Add(save);
            if (step is RequestStep { Later: { } name2 })
                later.Add(name2);
            if (step is ReplyStep reply && !later.Remove(reply.Request))
                throw entry.Wrong($"no request is called \"{reply.Request}\"");
        }

        if (later.FirstOrDefault() is { } open)
            throw entry.Wrong($"nothing waits for the reply of \"{open}\"");
    }
}
