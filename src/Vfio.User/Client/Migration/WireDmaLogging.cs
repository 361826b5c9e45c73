using System.Runtime.InteropServices;
using Vfio.User.Client.Devices;
using Vfio.User.Wire;

namespace Vfio.User.Client.Migration;

/// <summary>The server's log of its device's writes: DMA_LOGGING_START, _STOP and _REPORT.</summary>
internal sealed class WireDmaLogging(Func<DeviceSession?> session) : IDmaLogging
{
    private const int BitsPerWord = 64;

    /// <summary>Whether the server logs at all.</summary>
    public static async ValueTask<bool> ProbeAsync(VfioUserClient client, CancellationToken cancellationToken)
    {
        var probe = await FeatureCalls.CarryAsync(
            client, FeatureId.DmaLoggingStart, FeatureOperation.Probe | FeatureOperation.Set, default(DmaLoggingControlStructure),
            cancellationToken).ConfigureAwait(false);
        return probe.IsSuccess;
    }

    public VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize)
    {
        if (session()?.Client is not { } client)
            return Errno.ENODEV;
        var length = (long)DmaLoggingControlStructure.Size + (long)ranges.Length * DmaLoggingRangeStructure.Size;
        if (length > Math.Min(client.MaxWrite, (int)Limits.DataTransfer - FeatureStructure.Size))
            return Errno.E2BIG;
        var data = new byte[length];
        MemoryMarshal.Write(data, new DmaLoggingControlStructure { PageSize = pageSize, RangeCount = (uint)ranges.Length });
        for (var i = 0; i < ranges.Length; i++)
        {
            MemoryMarshal.Write(
                data.AsSpan(DmaLoggingControlStructure.Size + i * DmaLoggingRangeStructure.Size),
                new DmaLoggingRangeStructure { Iova = ranges[i].Iova, Length = ranges[i].Length });
        }

        var result = FeatureCalls.Carry(client, new FeatureRequest(FeatureId.DmaLoggingStart, FeatureOperation.Set), data, data);
        if (!result.IsSuccess)
            return result.Error;

        // What came back lies where what was sent did.
        var used = MemoryMarshal.Read<ulong>(data);
        if (used != 0 && ulong.IsPow2(used))
            pageSize = used;
        return VfioResult.Success;
    }

    public VfioResult Stop()
        => session()?.Client is { } client
            ? FeatureCalls.Carry(client, new FeatureRequest(FeatureId.DmaLoggingStop, FeatureOperation.Set), [], []) : Errno.ENODEV;

    public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
    {
        if (session()?.Client is not { } client)
            return Errno.ENODEV;
        if (length == 0 || !ulong.IsPow2(pageSize) || iova > ulong.MaxValue - (length - 1))
            return Errno.EINVAL;
        var pages = (length - 1) / pageSize + 1;
        if ((pages - 1) / BitsPerWord >= (ulong)bitmap.Length)
            return Errno.EINVAL;
        var most = (ulong)(Math.Min(client.Server.MaxDataTransfer, (int)Limits.DataTransfer)
            - FeatureStructure.Size - DmaLoggingReportStructure.Size) / sizeof(ulong) * BitsPerWord;
        if (most == 0)
            return Errno.EOPNOTSUPP;
        for (var done = 0ul; done < pages;)
        {
            var count = Math.Min(most, pages - done);
            var bytes = done + count == pages ? length - (done * pageSize) : count * pageSize;
            var result = ReportPart(client, new DmaLoggingReportStructure
            {
                Iova = iova + (done * pageSize), Length = bytes, PageSize = pageSize,
            }, count, bitmap[(int)(done / BitsPerWord)..]);
            if (!result.IsSuccess)
                return result;
            done += count;
        }

        return VfioResult.Success;
    }

    private static VfioResult ReportPart(VfioUserClient client, DmaLoggingReportStructure asked, ulong pages, Span<ulong> bitmap)
    {
        var words = (int)((pages - 1) / BitsPerWord) + 1;
        var reply = System.Buffers.ArrayPool<byte>.Shared.Rent(DmaLoggingReportStructure.Size + words * sizeof(ulong));
        try
        {
            var data = reply.AsSpan(0, DmaLoggingReportStructure.Size + words * sizeof(ulong));
            var result = FeatureCalls.Carry(
                client, new FeatureRequest(FeatureId.DmaLoggingReport, FeatureOperation.Get),
                MemoryMarshal.AsBytes(new ReadOnlySpan<DmaLoggingReportStructure>(in asked)), data);
            if (!result.IsSuccess)
                return result.Error;
            if (result.Value != data.Length)
                return client.Refuse($"reports {result.Value} bytes of a bitmap of {data.Length}");
            var found = MemoryMarshal.Cast<byte, ulong>(data[DmaLoggingReportStructure.Size..]);

            // Servers set bits behind the end of what was asked.
            var rest = (int)(pages % BitsPerWord);
            if (rest != 0)
                found[^1] &= (1ul << rest) - 1;
            for (var i = 0; i < words; i++)
                bitmap[i] |= found[i];
            return VfioResult.Success;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(reply);
        }
    }
}
