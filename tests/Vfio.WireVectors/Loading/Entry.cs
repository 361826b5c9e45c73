using System.Globalization;
using System.Text.Json;
using Vfio.WireVectors.Model;

namespace Vfio.WireVectors.Loading;

/// <summary>A JSON value that knows where it stands, and an object's members that nobody asked for.</summary>
internal sealed class Entry(JsonElement json, string place)
{
    private readonly HashSet<string> _asked = [];

    public JsonElement Json => json;

    public bool IsString => json.ValueKind == JsonValueKind.String;

    public VectorFileException Wrong(string what) => new($"{place}: {what}");

    public bool Has(string name) => Find(name) is not null;

    public Entry Get(string name) => Find(name) ?? throw Wrong($"has no \"{name}\"");

    public Entry? Find(string name)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw Wrong("is no object");
        _asked.Add(name);
        return json.TryGetProperty(name, out var value) ? new(value, $"{place}.{name}") : null;
    }

    public IEnumerable<KeyValuePair<string, Entry>> Members()
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw Wrong("is no object");
        var seen = new HashSet<string>();
        foreach (var member in json.EnumerateObject())
        {
            if (!seen.Add(member.Name))
                throw Wrong($"has \"{member.Name}\" twice");
            _asked.Add(member.Name);
            yield return new(member.Name, new(member.Value, $"{place}.{member.Name}"));
        }
    }

    public IEnumerable<Entry> Items()
    {
        if (json.ValueKind != JsonValueKind.Array)
            throw Wrong("is no array");
        return json.EnumerateArray().Select((item, i) => new Entry(item, $"{place}[{i}]"));
    }

    /// <summary>Complains of members that are none of the schema's.</summary>
    public void End()
    {
        foreach (var member in Members())
        {
            _ = member;
        }

        if (json.EnumerateObject().Select(member => member.Name).FirstOrDefault(name => !_asked.Contains(name)) is { } unknown)
            throw Wrong($"\"{unknown}\" is nothing that can stand here");
    }

    public string Text() => json.ValueKind == JsonValueKind.String ? json.GetString()! : throw Wrong("is no text");

    public bool Flag() => json.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("is neither true nor false"),
    };

    /// <summary>A number, or text: terms with "|" between them, each 0x and hexadecimal digits, decimal digits, or a name.</summary>
    public ulong Number(ulong most = ulong.MaxValue)
    {
        ulong value = 0;
        if (json.ValueKind == JsonValueKind.Number)
        {
            if (!json.TryGetUInt64(out value))
                throw Wrong($"{json.GetRawText()} is no number from 0 to 2^64-1");
        }
        else
        {
            foreach (var term in Text().Split('|'))
                value |= Term(term);
        }

        return value <= most ? value : throw Wrong($"0x{value:x} is more than 0x{most:x}");
    }

    public int Error()
    {
        if (json.ValueKind == JsonValueKind.Number)
            return (int)Number(int.MaxValue);
        return Enum.TryParse<Errno>(Text(), out var error) && Enum.IsDefined(error) ? (int)error : throw Wrong($"{Text()} is no errno");
    }

    private ulong Term(string term)
    {
        if (term.StartsWith("0x", StringComparison.Ordinal)
            && ulong.TryParse(term.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            return value;
        if (ulong.TryParse(term, NumberStyles.None, CultureInfo.InvariantCulture, out value) || Names.Values.TryGetValue(term, out value))
            return value;
        throw Wrong($"\"{term}\" is neither a number nor a name that is known");
    }
}
