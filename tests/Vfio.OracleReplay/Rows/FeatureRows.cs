using Vfio.OracleReplay.Recording;
using Vfio.OracleReplay.Wire;

namespace Vfio.OracleReplay.Rows;

/// <summary>A probe of a feature, for reading, writing or both, from the core and from the server.</summary>
internal sealed class FeatureProbeRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        const uint HeadLength = 8;
        var flags = row.Unsigned("feature") | (uint)FeatureOperation.Probe
            | (row.Number("get") != 0 ? (uint)FeatureOperation.Get : 0) | (row.Number("set") != 0 ? (uint)FeatureOperation.Set : 0);
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var served = await replay.ServeAsync().ConfigureAwait(false);
        var comparison = new Comparison();
        var request = FeatureRequest.FromFlags(flags);
        var result = request.IsSuccess ? open.Device.Feature(request.Value, [], []) : request.Error;
        comparison.Number("errno", row.Int("errno"), Results.Recorded(result));
        var reply = served.Request(Command.DeviceFeature, Payload.Of(HeadLength, flags));
        comparison.Number("errno (served)", row.Int("errno"), -(int)reply.Error);
        return RowResult.Of(comparison);
    }
}

/// <summary>Calls whose argsz is too small: only a server has one.</summary>
internal sealed class ShortArgszRow(DeviceReplay replay) : RowReplay
{
    // What each call needs at least; with that much the requests are in order and succeed.
    private static readonly Dictionary<string, (Command Command, uint Least, byte[] Others)> Calls = new()
    {
        ["device_info"] = (Command.DeviceGetInfo, 16, Payload.Of(0, 0, 0)),
        ["region_info"] = (Command.DeviceGetRegionInfo, 32, Payload.Of(0, RegionIndex.Config, 0, 0, 0, 0, 0)),
        ["irq_info"] = (Command.DeviceGetIrqInfo, 16, Payload.Of(0, (uint)IrqIndex.Request, 0)),
        ["set_irqs"] = (Command.DeviceSetIrqs, 20,
            [.. Payload.Of((uint)(IrqSetFlags.DataBool | IrqSetFlags.ActionTrigger), (uint)IrqIndex.Request, 0, 1), 1]),
        ["feature"] = (Command.DeviceFeature, 8,
            Payload.Of((uint)(FeatureOperation.Probe | FeatureOperation.Set) | FeatureId.LowPowerExit)),
    };

    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        if (!Calls.TryGetValue(row.Text("call"), out var call))
            return RowResult.NotComparable($"the call {row.Text("call")} has no command in the vfio-user protocol");
        var served = await replay.ServeAsync().ConfigureAwait(false);
        var comparison = new Comparison();
        comparison.Number("errno (served)", row.Int("errno"), Errno(served, call.Command, call.Least - 1, call.Others));
        comparison.Number("errno with a proper argsz (served)", 0, Errno(served, call.Command, call.Least, call.Others));
        return RowResult.Of(comparison);
    }

    private static int Errno(ServedDevice served, Command command, uint argSize, byte[] others)
        => -(int)served.Request(command, [.. Payload.Of(argSize), .. others]).Error;
}
