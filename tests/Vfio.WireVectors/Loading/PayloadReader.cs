using System.Globalization;
using System.Text;
using System.Text.Json;
using Vfio.WireVectors.Model;

namespace Vfio.WireVectors.Loading;

/// <summary>Reads the parts of a payload: README.md, "Payloads".</summary>
internal static class PayloadReader
{
    private const int LongestFill = 2 << 20;

    /// <summary>A request's payload, whose bytes are all given.</summary>
    public static Payload Request(Entry entry) => Read(entry, isRequest: true);

    /// <summary>What a reply must hold; "??" stands for any byte.</summary>
    public static Payload Reply(Entry entry) => Read(entry, isRequest: false);

    private static Payload Read(Entry entry, bool isRequest)
    {
        if (entry.IsString)
            return new([Hex(entry, isRequest)]);
        var parts = entry.Items().Select(item => item.IsString ? Hex(item, isRequest) : Part(item)).ToList();
        if (parts.SkipLast(1).Any(part => part.Length is null))
            throw entry.Wrong("JSON text is the end of a payload");
        return new(parts);
    }

    private static Part Part(Entry entry)
    {
        var members = entry.Members().ToList();
        if (members is not [var (kind, value)])
            throw entry.Wrong("a part of a payload has one member");
        switch (kind)
        {
            case "ramp":
                return new BytesPart([.. Enumerable.Range(0, (int)value.Number(LongestFill)).Select(i => (byte)i)]);
            case "zero":
                return new BytesPart(new byte[value.Number(LongestFill)]);
            case "any":
                var length = (int)value.Number(LongestFill);
                return new BytesPart(new byte[length], [.. Enumerable.Repeat(true, length)]);
            case "text":
                return new BytesPart(Encoding.ASCII.GetBytes(value.Text()));
            case "json":
                if (value.Json.ValueKind != JsonValueKind.Object)
                    throw value.Wrong("is no object");
                return new JsonPart(value.Json.Clone());
            default:
                var structure = Structure.Find(kind) ?? throw entry.Wrong($"\"{kind}\" is neither a structure nor a kind of bytes");
                return new StructurePart(structure, Fields(structure, value));
        }
    }

    private static Dictionary<string, ulong> Fields(Structure structure, Entry entry)
    {
        var values = new Dictionary<string, ulong>();
        foreach (var (name, value) in entry.Members())
        {
            var field = structure.Fields.FirstOrDefault(field => field.Name == name)
                ?? throw entry.Wrong($"{structure.Name} has no \"{name}\"; it has {string.Join(", ", structure.Fields.Select(f => f.Name))}");
            var number = value.Number();
            if (!field.Holds(number))
                throw value.Wrong($"0x{number:x} does not fit {field.Width} bytes");
            values.Add(name, number);
        }

        return values;
    }

    private static BytesPart Hex(Entry entry, bool isRequest)
    {
        var digits = entry.Text().Replace(" ", "", StringComparison.Ordinal);
        if (digits.Length % 2 != 0)
            throw entry.Wrong("has half a byte");
        var bytes = new byte[digits.Length / 2];
        var ignored = new bool[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            var one = digits.AsSpan(2 * i, 2);
            if (one is "??" && !isRequest)
                ignored[i] = true;
            else if (!byte.TryParse(one, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes[i]))
                throw entry.Wrong($"\"{one}\" is no byte");
        }

        return new(bytes, ignored);
    }
}
