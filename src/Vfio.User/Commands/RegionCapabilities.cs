using System.Runtime.InteropServices;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>The chain of capabilities behind a region's info, as the kernel lays it out: each one padded to 8 bytes.</summary>
internal static class RegionCapabilities
{
    /// <summary>Bytes of the chain; 0 for none.</summary>
    public static int Length(RegionInfo info, bool isMapped)
        => SparseLength(info, isMapped) + (info.Type is null ? 0 : TypeLength)
            + (HasMsixMappable(info, isMapped) ? CapabilityHeader.Size : 0);

    private const int TypeLength = CapabilityHeader.Size + 2 * sizeof(uint);

    /// <summary>Writes the chain.</summary>
    /// <param name="info">The region.</param>
    /// <param name="isMapped">Whether the client gets its file.</param>
    /// <param name="payload">The whole info; the chain begins after the fixed structure and ends at the end.</param>
    public static void Write(RegionInfo info, bool isMapped, Span<byte> payload)
    {
        var at = RegionInfoStructure.Size;
        if (SparseLength(info, isMapped) is > 0 and var sparse)
            WriteSparse(info.SparseAreas!, Begin(payload, ref at, CapabilityHeader.SparseMmap, sparse));
        if (info.Type is { } type)
        {
            var body = Begin(payload, ref at, CapabilityHeader.Type, TypeLength);
            MemoryMarshal.Write(body, type.Type);
            MemoryMarshal.Write(body[sizeof(uint)..], type.Subtype);
        }

        if (HasMsixMappable(info, isMapped))
            Begin(payload, ref at, CapabilityHeader.MsixMappable, CapabilityHeader.Size);
    }

    private static bool HasMsixMappable(RegionInfo info, bool isMapped) => isMapped && info.MsixMappable;

    private static int SparseLength(RegionInfo info, bool isMapped)
        => isMapped && info.SparseAreas is { } areas
            ? CapabilityHeader.Size + SparseMmapHead.Size + areas.Count * SparseMmapHead.AreaSize : 0;

    private static Span<byte> Begin(Span<byte> payload, ref int at, ushort id, int length)
    {
        var start = at;
        at += length;
        var next = at == payload.Length ? 0 : at;
        MemoryMarshal.Write(payload[start..], new CapabilityHeader { Id = id, Version = 1, Next = (uint)next });
        return payload[(start + CapabilityHeader.Size)..at];
    }

    private static void WriteSparse(IReadOnlyList<RegionArea> areas, Span<byte> body)
    {
        MemoryMarshal.Write(body, new SparseMmapHead { AreaCount = (uint)areas.Count });
        body = body[SparseMmapHead.Size..];
        foreach (var area in areas)
        {
            MemoryMarshal.Write(body, area.Offset);
            MemoryMarshal.Write(body[sizeof(ulong)..], area.Size);
            body = body[SparseMmapHead.AreaSize..];
        }
    }
}
