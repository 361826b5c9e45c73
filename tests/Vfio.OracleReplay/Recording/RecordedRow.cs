using System.Globalization;
using System.Text.Json;

namespace Vfio.OracleReplay.Recording;

/// <summary>One line of a recording.</summary>
/// <param name="Line">Its number, from 1.</param>
/// <param name="Device">The function that it is about.</param>
/// <param name="Kind">What was done to it.</param>
/// <param name="Fields">Everything that the line holds.</param>
internal sealed record RecordedRow(int Line, string Device, string Kind, JsonElement Fields)
{
    /// <summary>A whole number that fits 32 bits, signed or not.</summary>
    public long Number(string field)
        => Get(field) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number)
            ? number : throw Wrong(field, "whole number");

    /// <summary>A number that is an offset, an index, a width or a count.</summary>
    public uint Unsigned(string field)
        => Number(field) is >= 0 and <= uint.MaxValue and var number ? (uint)number : throw Wrong(field, "number of 32 bits");

    /// <summary>A size or an offset of 64 bits.</summary>
    public ulong Unsigned64(string field)
        => Get(field) is { ValueKind: JsonValueKind.Number } value && value.TryGetUInt64(out var number)
            ? number : throw Wrong(field, "number of 64 bits");

    public int Int(string field)
        => Number(field) is >= int.MinValue and <= int.MaxValue and var number ? (int)number : throw Wrong(field, "number of 32 bits");

    public string Text(string field)
        => Get(field) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : throw Wrong(field, "string");

    /// <summary>Bytes in the order of their addresses.</summary>
    public byte[] Bytes(string field)
    {
        try
        {
            return Convert.FromHexString(Text(field));
        }
        catch (FormatException)
        {
            throw Wrong(field, "string of hexadecimal bytes");
        }
    }

    /// <summary>Bytes, where the field holds some.</summary>
    public bool TryBytes(string field, out byte[] bytes)
    {
        try
        {
            bytes = Bytes(field);
            return true;
        }
        catch (RecordingException)
        {
            bytes = [];
            return false;
        }
    }

    /// <summary>Whether a field is there and a whole number that fits 64 bits.</summary>
    public bool IsNumber(string field)
        => Fields.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _);

    /// <summary>What was done, for people and to tell rows apart; null where one of these fields is missing.</summary>
    public string? Inputs(IReadOnlyList<string> fields)
        => fields.All(Has) ? string.Join(", ", fields.Select(field => $"{field} {Shown(field)}")) : null;

    private string Shown(string field)
        => Get(field) is { ValueKind: JsonValueKind.Number } value && value.TryGetUInt64(out var number) && field is "offset" or "value"
            ? $"{number:x}h" : Get(field).ToString();

    public bool Has(string field) => Fields.TryGetProperty(field, out _);

    public IReadOnlyList<JsonElement> List(string field)
        => Get(field) is { ValueKind: JsonValueKind.Array } value ? [.. value.EnumerateArray()] : throw Wrong(field, "list");

    public RecordingException Wrong(string field, string expected)
        => new(Line, string.Create(CultureInfo.InvariantCulture, $"the field \"{field}\" of a {Kind} row is no {expected}"));

    private JsonElement Get(string field)
        => Fields.TryGetProperty(field, out var value) ? value
            : throw new RecordingException(Line, $"a {Kind} row has no field \"{field}\"");
}

/// <summary>A line of a recording does not hold what it should.</summary>
internal sealed class RecordingException(int line, string message) : Exception(message)
{
    public int Line { get; } = line;
}
