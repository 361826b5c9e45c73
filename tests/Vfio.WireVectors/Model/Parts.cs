using System.Text.Json;

namespace Vfio.WireVectors.Model;

/// <summary>A piece of a payload: what a request is built of, and what a reply is compared with.</summary>
internal abstract class Part
{
    /// <summary>Bytes; null: all that is left.</summary>
    public abstract int? Length { get; }

    /// <summary>The bytes that a request carries.</summary>
    public abstract byte[] Build(int payloadLength);

    /// <summary>Says where received bytes differ.</summary>
    /// <param name="actual">As many bytes as the part has.</param>
    /// <param name="offset">Where they were in the payload.</param>
    /// <param name="differences">Receives a line for each difference.</param>
    public abstract void Compare(ReadOnlySpan<byte> actual, int offset, List<string> differences);
}

/// <summary>Plain bytes; those that are <paramref name="ignored"/> may be anything.</summary>
internal sealed class BytesPart(byte[] bytes, bool[]? ignored = null) : Part
{
    private const int MostShown = 16;

    public override int? Length => bytes.Length;

    public override byte[] Build(int payloadLength) => bytes;

    public override void Compare(ReadOnlySpan<byte> actual, int offset, List<string> differences)
    {
        var first = -1;
        for (var i = 0; i < bytes.Length && first < 0; i++)
        {
            if (actual[i] != bytes[i] && ignored?[i] != true)
                first = i;
        }

        if (first < 0)
            return;
        var end = Math.Min(bytes.Length, first + MostShown);
        differences.Add($"bytes at {offset + first}: expected {Convert.ToHexStringLower(bytes.AsSpan(first..end))}, "
            + $"got {Convert.ToHexStringLower(actual[first..end])}");
    }
}

/// <summary>A structure of the protocol with some of its fields; in a request the others are 0, in a reply they are not compared.</summary>
internal sealed class StructurePart(Structure structure, IReadOnlyDictionary<string, ulong> fields) : Part
{
    private const string WholeLength = "argsz";

    public override int? Length => structure.Length;

    public override byte[] Build(int payloadLength)
    {
        var bytes = new byte[structure.Length];
        foreach (var field in structure.Fields)
        {
            if (fields.TryGetValue(field.Name, out var value))
                field.Store(bytes, value);
            else if (field.Name == WholeLength)
                field.Store(bytes, (ulong)payloadLength);
        }

        return bytes;
    }

    public override void Compare(ReadOnlySpan<byte> actual, int offset, List<string> differences)
    {
        foreach (var field in structure.Fields)
        {
            if (fields.TryGetValue(field.Name, out var expected) && field.Load(actual) is var got && got != expected)
                differences.Add($"{structure.Name}.{field.Name}: expected 0x{expected:x}, got 0x{got:x}");
        }
    }
}

/// <summary>JSON text with a NUL, to the end of the payload; in a reply the members that are named must have their values, and null is for one that must not be there.</summary>
internal sealed class JsonPart(JsonElement json) : Part
{
    public override int? Length => null;

    public override byte[] Build(int payloadLength) => [.. JsonSerializer.SerializeToUtf8Bytes(json), 0];

    public override void Compare(ReadOnlySpan<byte> actual, int offset, List<string> differences)
    {
        if (actual.IsEmpty || actual[^1] != 0)
        {
            differences.Add("the JSON text does not end with a NUL");
            return;
        }

        try
        {
            var reader = new Utf8JsonReader(actual[..^1]);
            Compare(json, JsonElement.ParseValue(ref reader), "", differences);
        }
        catch (JsonException e)
        {
            differences.Add($"no JSON: {e.Message}");
        }
    }

    private static void Compare(JsonElement expected, JsonElement actual, string at, List<string> differences)
    {
        if (expected.ValueKind != JsonValueKind.Object || actual.ValueKind != JsonValueKind.Object)
        {
            if (!JsonElement.DeepEquals(expected, actual))
                differences.Add($"{at}: expected {expected.GetRawText()}, got {actual.GetRawText()}");
            return;
        }

        foreach (var member in expected.EnumerateObject())
        {
            if (!actual.TryGetProperty(member.Name, out var value))
                Missing(member, at, differences);
            else
                Compare(member.Value, value, $"{at}.{member.Name}".TrimStart('.'), differences);
        }
    }

    private static void Missing(JsonProperty member, string at, List<string> differences)
    {
        if (member.Value.ValueKind != JsonValueKind.Null)
            differences.Add($"{at}.{member.Name}: expected {member.Value.GetRawText()}, and it is not there");
    }
}

/// <summary>A payload inside another.</summary>
internal sealed class PayloadPart(Payload payload) : Part
{
    public override int? Length { get; } = payload.Length;

    public override byte[] Build(int payloadLength) => payload.Build();

    public override void Compare(ReadOnlySpan<byte> actual, int offset, List<string> differences) => payload.Compare(actual, differences);
}
