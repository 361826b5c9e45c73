using Vfio.OracleReplay.Recording;
using Vfio.OracleReplay.Wire;

namespace Vfio.OracleReplay.Rows;

/// <summary>
/// The recorder's sequence of map and unmap calls, in order: their errnos from the server, and the bytes unmapped from a DMA space of this
/// process, because the protocol's reply does not have them.
/// </summary>
internal sealed class DmaRow(DeviceReplay replay) : RowReplay
{
    private const ulong First = 0x10000, Length = 0x10000, Page = 0x1000, Far = 0x10000000;
    private const uint Read = 1, Write = 2, UnknownMap = 0x80, All = 2, UnknownUnmap = 0x80;
    private const string Vaddr = "the recorder's own virtual address: the protocol has a file in its place";

    private static readonly Dictionary<string, DmaStep> Steps = new()
    {
        ["map [64K,+64K) rw"] = DmaStep.Map(First, Length, Read | Write),
        ["map same again"] = DmaStep.Map(First, Length, Read | Write),
        ["map inside it"] = DmaStep.Map(First + Page, Page, Read | Write),
        ["map overlap its end"] = DmaStep.Map(First + Length - Page, 2 * Page, Read | Write),
        ["map adjacent"] = DmaStep.Map(First + Length, Length, Read | Write),
        ["map no permission"] = DmaStep.Map(Far, Page, 0),
        ["map read only"] = DmaStep.Map(Far, Page, Read),
        ["map write only"] = DmaStep.Map(Far + (2 * Page), Page, Write),
        ["map unknown flag"] = DmaStep.Map(2 * Far, Page, Read | Write | UnknownMap),
        ["map size 0"] = DmaStep.Map(2 * Far, 0, Read | Write),
        ["map unaligned iova"] = DmaStep.Map((2 * Far) + 1, Page, Read | Write),
        ["map unaligned size"] = DmaStep.Map(2 * Far, Page + 1, Read | Write),
        ["map unaligned vaddr"] = DmaStep.Not(Vaddr),
        ["map wraps"] = DmaStep.Map(~(Page - 1), 2 * Page, Read | Write),
        ["map unmapped vaddr"] = DmaStep.Not(Vaddr),
        ["unmap middle of one"] = DmaStep.Unmap(First + Page, Page, 0),
        ["unmap across two"] = DmaStep.Unmap(First, 2 * Length, 0),
        ["unmap nothing there"] = DmaStep.Unmap(First, Length, 0),
        ["unmap unaligned"] = DmaStep.Unmap(Far + 1, Page, 0),
        ["unmap size 0"] = DmaStep.Unmap(Far, 0, 0),
        ["unmap unknown flag"] = DmaStep.Unmap(Far, Page, UnknownUnmap),
        ["unmap all with size"] = DmaStep.Unmap(0, Page, All),
        ["unmap all"] = DmaStep.Unmap(0, 0, All),
        ["unmap all again"] = DmaStep.Unmap(0, 0, All),
    };

    private readonly DmaSpace _space = new();

    public override async ValueTask<RowResult> ReplayAsync(RecordedRow row)
    {
        if (!Steps.TryGetValue(row.Text("step"), out var step))
            return RowResult.NotComparable("a step that the replay does not know");
        if (step.Reason is not null)
            return RowResult.NotComparable(step.Reason);
        var served = await replay.ServeAsync().ConfigureAwait(false);
        var error = served.Request(step.IsMap ? Command.DmaMap : Command.DmaUnmap, step.Payload()).Error;
        var comparison = new Comparison();
        comparison.Number("errno", row.Int("errno"), -(int)error);
        if (error != Errno.None)
        {
            // The kernel then leaves the size that the recorder asked for.
            if (!step.IsMap)
                comparison.Number("unmapped", row.Number("unmapped"), (long)step.Size);
            return RowResult.Of(comparison);
        }

        if (step.IsMap)
        {
            var access = (DmaAccess)step.Flags & (DmaAccess.Read | DmaAccess.Write);
            var mapped = _space.Map(LocalMemory.Allocate(step.Iova, (int)step.Size, access));
            comparison.Number("errno (in process)", 0, Results.Recorded(mapped));
        }
        else
        {
            var last = step.Flags == All ? ulong.MaxValue : step.Iova + (step.Size - 1);
            var unmapped = _space.Unmap(step.Iova, last);
            var bytes = unmapped.IsSuccess ? (long)unmapped.Value : -(int)unmapped.Error;
            comparison.Number("unmapped (in process)", row.Number("unmapped"), bytes);
        }

        return RowResult.Of(comparison);
    }

    public override ValueTask DisposeAsync()
    {
        _space.UnmapAll();
        return base.DisposeAsync();
    }
}

/// <summary>One call of the sequence.</summary>
internal sealed record DmaStep(bool IsMap, ulong Iova, ulong Size, uint Flags, string? Reason = null)
{
    private const uint MapLength = 32, UnmapLength = 24;

    public static DmaStep Map(ulong iova, ulong size, uint flags) => new(true, iova, size, flags);

    public static DmaStep Unmap(ulong iova, ulong size, uint flags) => new(false, iova, size, flags);

    public static DmaStep Not(string reason) => new(false, 0, 0, 0, reason);

    public byte[] Payload()
    {
        uint[] head = IsMap ? [MapLength, Flags, 0, 0] : [UnmapLength, Flags];
        return Wire.Payload.Of([.. head, .. Wire.Payload.Long(Iova), .. Wire.Payload.Long(Size)]);
    }
}
