using System.Runtime.InteropServices;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>What a command reports the written pages of, and takes them out of the log by it.</summary>
internal static class ReportedRange
{
    /// <summary>The range of a DMA_LOGGING_REPORT, or of a DMA_UNMAP with a bitmap, that has succeeded; null for any other command.</summary>
    public static IovaRange? Of(in MessageHeader header, ReadOnlySpan<byte> body)
    {
        if (header.Command == Command.DmaUnmap)
        {
            var unmap = MemoryMarshal.Read<DmaUnmapStructure>(body);
            return (unmap.Flags & DmaUnmapFlags.GetDirtyBitmap) != 0 ? new IovaRange(unmap.Address, unmap.Length) : null;
        }

        if (header.Command != Command.DeviceFeature)
            return null;
        var asked = FeatureRequest.FromFlags(MemoryMarshal.Read<FeatureStructure>(body).Flags);
        if (!asked.IsSuccess || asked.Value.Id != FeatureId.DmaLoggingReport || asked.Value.Operation.HasFlag(FeatureOperation.Probe))
            return null;
        var report = MemoryMarshal.Read<DmaLoggingReportStructure>(body[FeatureStructure.Size..]);
        return new IovaRange(report.Iova, report.Length);
    }
}
