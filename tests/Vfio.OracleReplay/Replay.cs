using Vfio.OracleReplay.Hardware;
using Vfio.OracleReplay.Output;
using Vfio.OracleReplay.Recording;
using Vfio.OracleReplay.Rows;

namespace Vfio.OracleReplay;

/// <summary>Replays a recording, or a part of it.</summary>
/// <param name="report">Whom to tell.</param>
/// <param name="devices">The functions to replay, by name; empty for all.</param>
/// <param name="kinds">The kinds of rows to replay; empty for all.</param>
internal sealed class Replay(Report report, IReadOnlyCollection<string> devices, IReadOnlyCollection<string> kinds)
{
    public async Task RunAsync(RecordingFile recording, CancellationToken cancellationToken)
    {
        foreach (var problem in recording.Problems)
            report.Problem(problem.Line, problem.What);
        foreach (var device in recording.Devices)
        {
            if (devices.Count == 0 || devices.Contains(device.Name))
                await RunAsync(device, recording.Devices, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task RunAsync(RecordedDevice device, IReadOnlyList<RecordedDevice> all, CancellationToken cancellationToken)
    {
        RowInventory.Check(device, kinds, report);
        RecordedHardware hardware;
        try
        {
            hardware = RecordedHardware.Of(device, all);
        }
        catch (RecordingException e)
        {
            report.Problem(e.Line, $"{e.Message}; nothing of {device.Name} is replayed");
            return;
        }

        using (hardware)
        {
            foreach (var note in hardware.Notes)
                report.Note(device.Name, note);
            var replay = new DeviceReplay(hardware);
            await using (replay.ConfigureAwait(false))
                await RunAsync(device, replay, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task RunAsync(RecordedDevice device, DeviceReplay replay, CancellationToken cancellationToken)
    {
        var begun = new Dictionary<string, RowReplay>();
        try
        {
            foreach (var row in device.Rows)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (kinds.Count > 0 && !kinds.Contains(row.Kind))
                    continue;
                if (RowKinds.Find(row.Kind) is not { } kind)
                {
                    report.Problem(row.Line, $"the kind of row \"{row.Kind}\" is not known, so the row is not replayed");
                    continue;
                }

                if (!begun.TryGetValue(kind.Name, out var rows))
                    begun.Add(kind.Name, rows = kind.Begin(replay));
                await RunAsync(row, rows).ConfigureAwait(false);
            }
        }
        finally
        {
            foreach (var rows in begun.Values)
                await rows.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task RunAsync(RecordedRow row, RowReplay rows)
    {
        try
        {
            report.Row(row, await rows.ReplayAsync(row).ConfigureAwait(false));
        }
        catch (RecordingException e)
        {
            report.Problem(e.Line, e.Message);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // What the core throws is its answer to this row, and a wrong one.
            report.Threw(row, e);
        }
    }
}
