using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>
/// The features of a device's DMA logging. What ranges and page sizes must be is the log's to say, as in the kernel it is the core's; here
/// is looked at what the message must hold.
/// </summary>
internal static class DmaLoggingFeatures
{
    private const uint MostRanges = 256;

    public static VfioResult<int> Start(ClientSession session, bool isSet, ReadOnlySpan<byte> input, Span<byte> output)
    {
        var control = MemoryMarshal.Read<DmaLoggingControlStructure>(input);
        if (control.RangeCount > MostRanges)
            return Errno.E2BIG;
        var bytes = input[DmaLoggingControlStructure.Size..];
        if ((uint)bytes.Length < control.RangeCount * DmaLoggingRangeStructure.Size)
            return Errno.EINVAL;
        var ranges = new IovaRange[control.RangeCount];
        for (var i = 0; i < ranges.Length; i++)
        {
            var range = MemoryMarshal.Read<DmaLoggingRangeStructure>(bytes[(i * DmaLoggingRangeStructure.Size)..]);
            ranges[i] = new IovaRange(range.Iova, range.Length);
        }

        var started = session.DmaLogging!.Start(ranges, ref control.PageSize, session.Dma);
        if (!started.IsSuccess)
            return started.Error;
        input.CopyTo(output);
        MemoryMarshal.Write(output, control);
        return input.Length;
    }

    public static VfioResult<int> Stop(ClientSession session, bool isSet, ReadOnlySpan<byte> input, Span<byte> output)
    {
        var stopped = session.DmaLogging!.Stop();
        return stopped.IsSuccess ? 0 : stopped.Error;
    }

    /// <remarks>The bitmap is in the reply; a client cuts what is too long for one message into several reports.</remarks>
    public static VfioResult<int> Report(ClientSession session, bool isSet, ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (!MemoryMarshal.TryRead<DmaLoggingReportStructure>(input, out var report) || report.PageSize == 0)
            return Errno.EINVAL;
        var bytes = ClientDmaLogging.BitmapBytes(report.Length, report.PageSize);
        if (bytes > (uint)(output.Length - DmaLoggingReportStructure.Size))
            return Errno.EINVAL;
        var bitmap = output.Slice(DmaLoggingReportStructure.Size, (int)bytes);
        var reported = session.DmaLogging!.Report(
            report.Iova, report.Length, report.PageSize, MemoryMarshal.Cast<byte, ulong>(bitmap));
        if (!reported.IsSuccess)
            return reported.Error;
        MemoryMarshal.Write(output, report);
        return DmaLoggingReportStructure.Size + bitmap.Length;
    }
}
