using System.Text.Json;

namespace Vfio.OracleReplay.Recording;

/// <summary>What a file of recorded answers holds, and what of it could not be read.</summary>
internal sealed class RecordingFile
{
    // What the recorder writes of a function before and after all else.
    private const string First = "raw_config", Last = "end";
    private readonly List<RecordedDevice> _devices = [];
    private readonly Dictionary<string, RecordedDevice> _latest = [];
    private readonly Dictionary<string, int> _names = [];
    private readonly List<Problem> _problems = [];

    /// <summary>The functions, in the order in which they appear.</summary>
    public IReadOnlyList<RecordedDevice> Devices => _devices;

    /// <summary>Lines that are no row, and an end that came too early.</summary>
    public IReadOnlyList<Problem> Problems => _problems;

    /// <summary>Reads a file, compressed or not.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static RecordingFile Read(string path) => Read(File.ReadAllBytes(path));

    /// <summary>Reads what a file holds.</summary>
    public static RecordingFile Read(byte[] contents)
    {
        var recording = new RecordingFile();
        if (!GzipFile.IsOne(contents))
        {
            recording.ReadLines(contents);
            return recording;
        }

        var (lines, problem) = GzipFile.Decompress(contents);
        var last = recording.ReadLines(lines);
        if (problem is not null)
            recording._problems.Add(new(last, problem));
        return recording;
    }

    private int ReadLines(byte[] contents)
    {
        using var reader = new StreamReader(new MemoryStream(contents));
        var number = 0;
        while (reader.ReadLine() is { } line)
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
                ReadLine(number, line);
        }

        return number;
    }

    private void ReadLine(int number, string line)
    {
        try
        {
            var fields = JsonDocument.Parse(line).RootElement;
            if (fields.ValueKind != JsonValueKind.Object)
            {
                _problems.Add(new(number, "the line is no JSON object"));
                return;
            }

            var row = new RecordedRow(number, "", "", fields);
            row = row with { Kind = row.Text("row") };
            var device = Device(row.Text("device"), row.Kind);
            device.Add(row with { Device = device.Name });
        }
        catch (JsonException e)
        {
            _problems.Add(new(number, $"the line is no JSON: {e.Message}"));
        }
        catch (RecordingException e)
        {
            _problems.Add(new(e.Line, e.Message));
        }
    }

    private RecordedDevice Device(string name, string kind)
    {
        if (_latest.TryGetValue(name, out var device) && !(kind == First && device.Of(Last).Count > 0 && device.Of(First).Count > 0))
            return device;
        // A name that begins again after its end is another function's: two of one kind, or two recordings in one file.
        var count = _names[name] = _names.GetValueOrDefault(name) + 1;
        _devices.Add(device = new(count == 1 ? name : $"{name} ({count})"));
        return _latest[name] = device;
    }
}

/// <summary>Something about a recording that keeps a line of it from being replayed.</summary>
/// <param name="Line">Its number, from 1.</param>
/// <param name="What">What is wrong.</param>
internal sealed record Problem(int Line, string What);
