using Vfio.OracleReplay.Output;
using Vfio.OracleReplay.Recording;
using Vfio.OracleReplay.Rows;

namespace Vfio.OracleReplay;

/// <summary>Whether the rows about a function are those that the recorder makes: none is missing, and none is there twice.</summary>
internal static class RowInventory
{
    public static void Check(RecordedDevice device, IReadOnlyCollection<string> kinds, Report report)
    {
        if (device.Of("end").Count == 0)
            report.Problem(device.Rows[^1].Line, $"{device.Name} has no end row: the recording was broken off");
        foreach (var kind in RowKinds.All.Where(kind => kinds.Count == 0 || kinds.Contains(kind.Name)))
        {
            var rows = device.Of(kind.Name);
            if (kind.Usual != 0 && rows.Count != kind.Usual && kind.Name != "end")
                report.Note(device.Name, $"{rows.Count} {kind.Name} rows; the recorder makes {kind.Usual}");
            if (!kind.MayRepeat)
                CheckRepeated(kind, rows, report);
        }
    }

    // One of two experiments of the same kind has been altered, or has come from elsewhere.
    private static void CheckRepeated(RowKind kind, IReadOnlyList<RecordedRow> rows, Report report)
    {
        var lines = new Dictionary<string, int>();
        foreach (var row in rows)
        {
            if (row.Inputs(kind.Inputs) is { } inputs && !lines.TryAdd(inputs, row.Line))
                report.Problem(row.Line, $"{row.Device} {kind.Name} {inputs}".TrimEnd() + $" is on line {lines[inputs]} already");
        }
    }
}
