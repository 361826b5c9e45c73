using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Rows;

/// <summary>One VFIO_DEVICE_SET_IRQS; the device is opened afresh after each that succeeds.</summary>
internal sealed class SetIrqsRow(DeviceReplay replay) : RowReplay
{
    private const uint Most = 65536;
    private OpenDevice? _open;

    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        _open ??= await replay.OpenAsync().ConfigureAwait(false);
        var (flags, count, payload) = ((IrqSetFlags)row.Unsigned("flags"), row.Unsigned("count"), row.Unsigned("payload"));
        var data = flags & IrqSetFlags.DataMask;
        if (payload > Most)
            return RowResult.NotComparable($"a payload of more than {Most} bytes");
        if (data == IrqSetFlags.DataEventFd && count != 0 && payload < sizeof(int))
            return RowResult.NotComparable(
                "in process a request without any eventfd means -1 for each, and cannot be a payload that is too short");
        var eventFds = data.HasFlag(IrqSetFlags.DataEventFd) ? EventFds(payload / sizeof(int)) : [];
        var result = _open.Device.SetIrqs(new()
        {
            Index = row.Unsigned("index"), Flags = flags, Start = row.Unsigned("start"), Count = count, EventFds = eventFds,
            Bools = data.HasFlag(IrqSetFlags.DataBool) ? [.. Enumerable.Repeat((byte)1, (int)payload)] : [],
        });
        if (result.IsSuccess)
            await CloseAsync().ConfigureAwait(false);
        var comparison = new Comparison();
        comparison.Number("errno", row.Int("errno"), Results.Recorded(result));
        return RowResult.Of(comparison);
    }

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    private async ValueTask CloseAsync()
    {
        if (_open is not null)
            await _open.DisposeAsync().ConfigureAwait(false);
        _open = null;
    }

    private static SafeFileHandle?[] EventFds(uint count)
    {
        var eventFds = new SafeFileHandle?[count];
        for (var i = 0; i < eventFds.Length; i++)
            eventFds[i] = EventFd.Create();
        return eventFds;
    }
}
