using System.Runtime.InteropServices;
using Vfio.User.Wire;

namespace Vfio.User.Client.Devices;

/// <summary>Reads the chain of capabilities behind a region's info.</summary>
internal static class RegionCapabilityReader
{
    /// <summary>Reads it.</summary>
    /// <param name="body">The whole info.</param>
    /// <param name="at">Where the chain begins.</param>
    /// <param name="info">Receives what it says; capabilities that are not known are passed over.</param>
    /// <returns>False: the chain leaves the info or turns back, or an area leaves the region.</returns>
    public static bool TryRead(ReadOnlySpan<byte> body, uint at, ref RegionInfo info)
    {
        var least = (uint)RegionInfoStructure.Size;
        while (at != 0)
        {
            if (at < least || at > body.Length || !MemoryMarshal.TryRead<CapabilityHeader>(body[(int)at..], out var header))
                return false;
            var data = body[((int)at + CapabilityHeader.Size)..];
            switch (header.Id)
            {
                case CapabilityHeader.SparseMmap:
                    if (ReadAreas(data, info.Size) is not { } areas)
                        return false;
                    info = info with { SparseAreas = areas };
                    break;
                case CapabilityHeader.Type:
                    if (data.Length < 2 * sizeof(uint))
                        return false;
                    info = info with { Type = new RegionType(MemoryMarshal.Read<uint>(data), MemoryMarshal.Read<uint>(data[sizeof(uint)..])) };
                    break;
                case CapabilityHeader.MsixMappable:
                    info = info with { MsixMappable = true };
                    break;
                default:
                    break;
            }

            least = at + CapabilityHeader.Size;
            at = header.Next;
        }

        return true;
    }

    private static RegionArea[]? ReadAreas(ReadOnlySpan<byte> data, ulong regionSize)
    {
        if (!MemoryMarshal.TryRead<SparseMmapHead>(data, out var head)
            || head.AreaCount > (uint)(data.Length - SparseMmapHead.Size) / SparseMmapHead.AreaSize)
        {
            return null;
        }

        var areas = new RegionArea[head.AreaCount];
        for (var i = 0; i < areas.Length; i++)
        {
            var entry = data[(SparseMmapHead.Size + i * SparseMmapHead.AreaSize)..];
            areas[i] = new(MemoryMarshal.Read<ulong>(entry), MemoryMarshal.Read<ulong>(entry[sizeof(ulong)..]));
        }

        Array.Sort(areas, static (left, right) => left.Offset.CompareTo(right.Offset));
        var end = 0ul;
        foreach (var area in areas)
        {
            if (area.Offset < end || area.Size > regionSize || area.Offset > regionSize - area.Size)
                return null;
            if ((area.Offset | area.Size) % Limits.PageSize != 0)
                return null;
            end = area.Offset + area.Size;
        }

        return areas;
    }
}
