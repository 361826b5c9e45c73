namespace Vfio.OracleReplay.Recording;

/// <summary>All rows about one function, in the order of the recording.</summary>
internal sealed class RecordedDevice(string name)
{
    private readonly List<RecordedRow> _rows = [];
    private readonly Dictionary<string, List<RecordedRow>> _byKind = [];

    public string Name => name;

    public IReadOnlyList<RecordedRow> Rows => _rows;

    public IReadOnlyList<RecordedRow> Of(string kind) => _byKind.GetValueOrDefault(kind) ?? [];

    /// <summary>
    /// The rows of a kind in which these fields are whole numbers: to conclude something from. Where one is not, its own replay tells.
    /// </summary>
    public IEnumerable<RecordedRow> Of(string kind, params string[] numbers) => Of(kind).Where(row => numbers.All(row.IsNumber));

    public void Add(RecordedRow row)
    {
        _rows.Add(row);
        if (!_byKind.TryGetValue(row.Kind, out var rows))
            _byKind.Add(row.Kind, rows = []);
        rows.Add(row);
    }
}
