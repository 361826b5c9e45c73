using Vfio.OracleReplay.Hardware;
using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Rows;

/// <summary>VFIO_DEVICE_RESET.</summary>
internal sealed class ResetRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var result = await open.Device.ResetAsync(ResetCause.DeviceReset, CancellationToken.None).ConfigureAwait(false);
        var comparison = new Comparison();
        comparison.Number("errno", row.Int("errno"), Results.Recorded(result));
        return RowResult.Of(comparison);
    }
}

/// <summary>What a reset leaves of the client's own BAR 0 and COMMAND.</summary>
internal sealed class AfterResetRow(DeviceReplay replay) : RowReplay
{
    // What the recorder wrote before it reset.
    private const uint Bar0 = 0xDEADBEEF, Command = 7;

    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        open.WriteConfig(Registers.Bar0, 4, Bar0);
        open.WriteConfig(Registers.Command, 2, Command);
        await open.Device.ResetAsync(ResetCause.DeviceReset, CancellationToken.None).ConfigureAwait(false);
        var comparison = new Comparison();
        comparison.Hex("bar0", row.Unsigned("bar0"), open.ReadConfig(Registers.Bar0, 4));
        comparison.Hex("command", row.Unsigned("command"), open.ReadConfig(Registers.Command, 2));
        return RowResult.Of(comparison);
    }
}

/// <summary>What a hot reset would take along.</summary>
internal sealed class HotResetInfoRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var info = open.Device.GetHotResetInfo();
        var comparison = new Comparison();
        comparison.Number("errno", row.Int("errno"), -(int)info.Error);
        comparison.Number("count", row.Number("count"), info.IsSuccess ? info.Value.Devices.Count : 0);
        return RowResult.Of(comparison);
    }
}
