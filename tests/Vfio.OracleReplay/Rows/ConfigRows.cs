using Vfio.OracleReplay.Hardware;
using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Rows;

/// <summary>What the core's open does to the hardware's configuration space.</summary>
internal sealed class RawConfigOpenRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var comparison = new Comparison();
        comparison.Bytes("bytes", Padded(row), open.Function.Hardware);
        return RowResult.Of(comparison);
    }

    /// <summary>The bytes of a row; trailing zeros may be left out.</summary>
    public static byte[] Padded(RecordedRow row)
    {
        var bytes = row.Bytes("bytes");
        if (row.Unsigned("size") < bytes.Length)
            throw row.Wrong("size", "size of its bytes");
        Array.Resize(ref bytes, row.Int("size"));
        return bytes;
    }
}

/// <summary>What a client reads right after open.</summary>
internal sealed class VirtualConfigRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var expected = RawConfigOpenRow.Padded(row);
        var actual = new byte[expected.Length];
        var comparison = new Comparison();
        comparison.Number("size", expected.Length, open.Read(RegionIndex.Config, 0, actual));
        comparison.Bytes("bytes", expected, actual);
        return RowResult.Of(comparison);
    }
}

/// <summary>A read of any width anywhere.</summary>
internal sealed class ConfigWidthRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        const uint Most = 1 << 20;
        const int MostRecorded = 16;
        var width = row.Unsigned("width");
        if (width > Most)
            return RowResult.NotComparable($"a read of more than {Most} bytes");
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var bytes = new byte[width];
        var result = open.Read(RegionIndex.Config, row.Unsigned64("offset"), bytes);
        var comparison = new Comparison();
        comparison.Number("result", row.Int("result"), result);
        // The recorder leaves out the bytes of what is longer.
        if (row.Has("bytes") || row.Int("result") is > 0 and <= MostRecorded)
            comparison.Bytes("bytes", row.Bytes("bytes"), bytes.AsSpan(0, Math.Clamp(result, 0, bytes.Length)));
        return RowResult.Of(comparison);
    }
}

/// <summary>One write, and the dword around it before and after, as the client and as the hardware has it.</summary>
internal sealed class ConfigWriteRow(DeviceReplay replay) : RowReplay
{
    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        const uint Widest = sizeof(ulong);
        var (offset, width) = (row.Int("offset"), row.Unsigned("width"));
        if (width is 0 or > Widest || offset < 0)
            return RowResult.NotComparable("a write that is no register's");
        await using var open = await replay.OpenAsync().ConfigureAwait(false);
        var comparison = new Comparison();
        var start = offset & ~3;
        Begin(open, start, row.Bytes("before"), comparison);

        var value = BitConverter.GetBytes(row.Unsigned64("value"));
        comparison.Number("wrote", row.Int("wrote"), open.Write(RegionIndex.Config, (ulong)offset, value.AsSpan(0, (int)width)));
        var after = new byte[sizeof(uint)];
        comparison.Number("read", row.Int("read"), open.Read(RegionIndex.Config, (ulong)start, after));
        comparison.Bytes("after", row.Bytes("after"), after);
        if (start + sizeof(uint) <= open.Function.ConfigSize)
            comparison.Bytes("hardware", row.Bytes("hardware"), open.Function.Hardware.Slice(start, sizeof(uint)));
        return RowResult.Of(comparison);
    }

    // What writes of the recorder have left in the hardware has stayed there, unless a reset came between. Nothing else may account for what
    // the client saw.
    private void Begin(OpenDevice open, int start, byte[] before, Comparison comparison)
    {
        var shown = new byte[sizeof(uint)];
        if (open.Read(RegionIndex.Config, (ulong)start, shown) != shown.Length || before.AsSpan().SequenceEqual(shown))
            return;
        var fresh = open.Function.Hardware.Slice(start, sizeof(uint)).ToArray();
        var now = new byte[sizeof(uint)];
        foreach (var left in replay.Hardware.LeftByWrites[start])
        {
            open.Function.Set(start, left);
            open.Read(RegionIndex.Config, (ulong)start, now);
            if (before.AsSpan().SequenceEqual(now))
                return;
        }

        open.Function.Set(start, fresh);
        comparison.Bytes("before", before, shown);
    }
}
