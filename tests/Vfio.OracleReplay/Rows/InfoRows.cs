using Vfio.OracleReplay.Recording;
using Vfio.OracleReplay.Wire;

namespace Vfio.OracleReplay.Rows;

/// <summary>VFIO_DEVICE_GET_INFO, from the core and from the server.</summary>
internal sealed class DeviceInfoRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var served = await replay.ServeAsync().ConfigureAwait(false);
        var comparison = new Comparison();
        var info = open.Device.Info;
        comparison.Number("errno", row.Int("errno"), 0);
        comparison.Hex("flags", row.Unsigned("flags"), (uint)info.Flags);
        comparison.Number("regions", row.Int("regions"), info.RegionCount);
        comparison.Number("irqs", row.Int("irqs"), info.IrqCount);

        var reply = served.Request(Command.DeviceGetInfo, Payload.Of(16, 0, 0, 0));
        comparison.Number("errno (served)", row.Int("errno"), -(int)reply.Error);
        comparison.Hex("flags (served)", row.Unsigned("flags"), reply.Word(1));
        comparison.Number("regions (served)", row.Int("regions"), reply.Word(2));
        comparison.Number("irqs (served)", row.Int("irqs"), reply.Word(3));
        return RowResult.Of(comparison);
    }
}

/// <summary>VFIO_DEVICE_GET_REGION_INFO with its capabilities, from the core and from the server.</summary>
internal sealed class RegionInfoRow(DeviceReplay replay) : RowReplay
{
    private const uint Room = 4096, FlagCapabilities = 8, Msix = 3, Type = 2, Sparse = 1;
    private const int FixedLength = 32;

    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var served = await replay.ServeAsync().ConfigureAwait(false);
        var comparison = new Comparison();
        var index = row.Unsigned("index");
        var info = open.Device.GetRegionInfo((int)Math.Min(index, int.MaxValue));
        var capabilities = info.IsSuccess ? Capabilities(info.Value) : [];
        var flags = info.IsSuccess ? (uint)info.Value.Flags | (capabilities.Count > 0 ? FlagCapabilities : 0) : 0;
        Compare(row, comparison, "", info.Error, flags, info.IsSuccess ? info.Value.Size : 0, capabilities);

        var reply = served.Request(Command.DeviceGetRegionInfo, Payload.Of(Room, 0, index, 0, 0, 0, 0, 0));
        Compare(row, comparison, " (served)", reply.Error, reply.Word(1), reply.Long(4), Chain(reply));
        return RowResult.Of(comparison);
    }

    private static void Compare(
        RecordedRow row, Comparison comparison, string where, Errno error, uint flags, ulong size, IReadOnlyList<uint> capabilities)
    {
        // The recorder begins with zeros, and a call that fails leaves them.
        comparison.Number("errno" + where, row.Int("errno"), -(int)error);
        comparison.Hex("flags" + where, row.Unsigned("flags"), flags);
        comparison.Number("size" + where, (long)row.Unsigned64("size"), (long)size);
        var expected = row.List("caps").Select(c => $"{c.GetProperty("id")} version {c.GetProperty("version")}");
        var actual = capabilities.Select(id => $"{id & 0xFFFF} version {id >> 16}");
        comparison.Text("caps" + where, string.Join(", ", expected), string.Join(", ", actual));
    }

    // Id, and version 1 above it, in the order of the kernel.
    private static List<uint> Capabilities(RegionInfo info)
    {
        const uint Version = 1 << 16;
        var ids = new List<uint>();
        if (info.SparseAreas is not null)
            ids.Add(Sparse | Version);
        if (info.Type is not null)
            ids.Add(Type | Version);
        if (info.MsixMappable)
            ids.Add(Msix | Version);
        return ids;
    }

    private static List<uint> Chain(WireReply reply)
    {
        var ids = new List<uint>();
        var at = (reply.Word(1) & FlagCapabilities) != 0 ? (int)reply.Word(3) : 0;
        while (at >= FixedLength && at + 8 <= reply.Payload.Length && ids.Count < reply.Payload.Length)
        {
            ids.Add(BitConverter.ToUInt32(reply.Payload, at));
            at = BitConverter.ToInt32(reply.Payload, at + 4);
        }

        return ids;
    }
}

/// <summary>VFIO_DEVICE_GET_IRQ_INFO, from the core and from the server.</summary>
internal sealed class IrqInfoRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var served = await replay.ServeAsync().ConfigureAwait(false);
        var comparison = new Comparison();
        var index = row.Unsigned("index");
        var info = open.Device.GetIrqInfo((int)Math.Min(index, int.MaxValue));
        Compare(row, comparison, "", info.Error, (uint)info.Value.Flags, info.Value.Count);
        var reply = served.Request(Command.DeviceGetIrqInfo, Payload.Of(16, 0, index, 0));
        Compare(row, comparison, " (served)", reply.Error, reply.Word(1), reply.Word(3));
        return RowResult.Of(comparison);
    }

    private static void Compare(RecordedRow row, Comparison comparison, string where, Errno error, uint flags, uint count)
    {
        comparison.Number("errno" + where, row.Int("errno"), -(int)error);
        comparison.Hex("flags" + where, row.Unsigned("flags"), flags);
        comparison.Number("count" + where, row.Unsigned("count"), count);
    }
}
