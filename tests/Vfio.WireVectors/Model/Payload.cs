namespace Vfio.WireVectors.Model;

/// <summary>A payload: its parts, one after the other.</summary>
internal sealed class Payload(IReadOnlyList<Part> parts)
{
    public static Payload Empty { get; } = new([]);

    /// <summary>Bytes; null: JSON text is in it.</summary>
    public int? Length => parts.Any(part => part.Length is null) ? null : parts.Sum(part => part.Length);

    public byte[] Build()
    {
        // Only a structure asks how long the whole is, and JSON text comes beside none that does.
        var length = parts.Sum(part => part.Length ?? 0);
        return [.. parts.SelectMany(part => part.Build(length))];
    }

    public void Compare(ReadOnlySpan<byte> actual, List<string> differences)
    {
        var fixedLength = parts.Sum(part => part.Length ?? 0);
        var isOpen = parts.Any(part => part.Length is null);
        if (actual.Length < fixedLength || (!isOpen && actual.Length > fixedLength))
        {
            differences.Add($"the reply's payload: expected {fixedLength} bytes{(isOpen ? " or more" : "")}, got {actual.Length}");
            return;
        }

        var at = 0;
        foreach (var part in parts)
        {
            var length = part.Length ?? actual.Length - fixedLength;
            part.Compare(actual.Slice(at, length), at, differences);
            at += length;
        }
    }
}
