using Vfio.OracleReplay.Hardware;
using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Rows;

/// <summary>A read of a region, with memory decoding off or on.</summary>
internal sealed class RegionReadRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        const uint Most = 1 << 20;
        var (index, width) = (row.Unsigned("index"), row.Unsigned("width"));
        if (width > Most)
            return RowResult.NotComparable($"a read of more than {Most} bytes");
        if (row.Int("result") == -(int)Errno.EBUSY && index <= RegionIndex.Bar5 && replay.Hardware.Bars[(int)index] is { IsClaimed: true })
            return RowResult.NotComparable("another driver of the recording's host held the BAR; a back end here has its BARs to itself");
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var command = open.ReadConfig(Registers.Command, 2) & ~Registers.CommandMemory;
        open.WriteConfig(Registers.Command, 2, row.Number("enabled") != 0 ? command | Registers.CommandMemory : command);
        var bytes = new byte[width];
        var result = open.Read((int)Math.Min(index, int.MaxValue), row.Unsigned64("offset"), bytes);
        var comparison = new Comparison();
        comparison.Number("result", row.Int("result"), result);
        return RowResult.Of(comparison);
    }
}
