using System.Text;
using System.Text.Json;

namespace Vfio.Simulation;

/// <summary>On which line of a JSON text each property and element stands, by its path.</summary>
internal sealed class LineMap
{
    private readonly Dictionary<string, int> _lines = new(StringComparer.OrdinalIgnoreCase);

    private LineMap()
    {
    }

    /// <summary>The line of a path, from 1; of what contains it, if it is not there itself.</summary>
    internal int LineOf(string path)
    {
        while (true)
        {
            if (_lines.TryGetValue(path, out var line))
                return line;
            var end = path.LastIndexOfAny(['.', '[']);
            if (end <= 0)
                return 0;
            path = path[..end];
        }
    }

    /// <summary>Reads a text.</summary>
    /// <exception cref="JsonException">The text is not JSON.</exception>
    internal static LineMap Read(string json)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        var options = new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
        var reader = new Utf8JsonReader(bytes, options);
        var map = new LineMap();
        // Where we are: a path for each open container, with the index of the next element for arrays.
        var open = new Stack<(string Path, int Index)>();
        string? property = null;
        var line = 1;
        var counted = 0;
        while (reader.Read())
        {
            var at = (int)reader.TokenStartIndex;
            line += bytes.AsSpan(counted, at - counted).Count((byte)'\n');
            counted = at;
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    property = $"{open.Peek().Path}.{reader.GetString()}";
                    map._lines.TryAdd(property, line);
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    open.Pop();
                    break;
                default:
                    var path = Place(open, ref property);
                    map._lines.TryAdd(path, line);
                    if (reader.TokenType is JsonTokenType.StartObject)
                        open.Push((path, -1));
                    else if (reader.TokenType is JsonTokenType.StartArray)
                        open.Push((path, 0));
                    break;
            }
        }

        return map;
    }

    private static string Place(Stack<(string Path, int Index)> open, ref string? property)
    {
        if (property is { } named)
        {
            property = null;
            return named;
        }

        if (open.Count == 0)
            return "$";
        var (path, index) = open.Pop();
        open.Push((path, index + 1));
        return $"{path}[{index}]";
    }
}
