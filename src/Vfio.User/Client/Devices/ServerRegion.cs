using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Wire;

namespace Vfio.User.Client.Devices;

/// <summary>A region of the server's device: its info, and how it is mapped. It owns the file.</summary>
internal sealed class ServerRegion(RegionInfo info, RegionMapping? mapping) : IDisposable
{
    /// <summary>Descriptors of a reply; more than one where a server sends one for each area, of one file.</summary>
    private const int MostDescriptors = 16;

    public RegionInfo Info { get; } = info;

    public RegionMapping? Mapping { get; } = mapping;

    public void Dispose() => Mapping?.File.Dispose();

    /// <summary>Asks for a region, twice if it has more to say than at first there was room for.</summary>
    public static async ValueTask<VfioResult<ServerRegion>> GetAsync(VfioUserClient client, int index, CancellationToken cancellationToken)
    {
        var files = new List<SafeFileHandle>();
        try
        {
            var first = await AskAsync(client, index, RegionInfoStructure.Size, files, cancellationToken).ConfigureAwait(false);
            if (!first.IsSuccess)
                return first.Error;
            var body = first.Value;
            var needed = MemoryMarshal.Read<RegionInfoStructure>(body).ArgSize;
            if (needed > Limits.DataTransfer)
                return client.Refuse($"has {needed} bytes to say of region {index}");
            if (needed > RegionInfoStructure.Size)
            {
                var second = await AskAsync(client, index, (int)needed, files, cancellationToken).ConfigureAwait(false);
                if (!second.IsSuccess)
                    return second.Error;
                body = second.Value;
            }

            return Parse(body, files) is { } region ? region : client.Refuse($"says of region {index} what cannot be");
        }
        finally
        {
            foreach (var file in files)
                file.Dispose();
        }
    }

    private static async ValueTask<VfioResult<byte[]>> AskAsync(
        VfioUserClient client, int index, int room, List<SafeFileHandle> files, CancellationToken cancellationToken)
    {
        var request = new RegionInfoStructure { ArgSize = (uint)room, Index = (uint)index };
        if (client.Caller.Begin(Command.DeviceGetRegionInfo, request, room) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            call.MostDescriptors = MostDescriptors;
            var result = await client.Caller.CallAsync(call, cancellationToken).ConfigureAwait(false);
            if (!result.IsSuccess)
                return result.Error;
            if (result.Value < RegionInfoStructure.Size)
                return client.Refuse($"answers GET_REGION_INFO with {result.Value} bytes");
            files.AddRange(call.Descriptors);
            call.Descriptors.Clear();
            return call.Reply.ToArray();
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    // Null: it cannot be. The file that is used is taken out of the list.
    private static ServerRegion? Parse(ReadOnlySpan<byte> body, List<SafeFileHandle> files)
    {
        var head = MemoryMarshal.Read<RegionInfoStructure>(body);
        var info = new RegionInfo { Size = head.RegionSize, Flags = (RegionFlags)head.Flags & (RegionFlags)7 };
        if ((head.Flags & RegionInfoStructure.FlagCapabilities) != 0 && body.Length > RegionInfoStructure.Size
            && !RegionCapabilityReader.TryRead(body, head.CapOffset, ref info))
        {
            return null;
        }

        if (head.FileOffset > long.MaxValue || head.RegionSize > long.MaxValue - head.FileOffset)
            return info.Flags.HasFlag(RegionFlags.Mmap) ? null : new(info, null);
        if (!info.Flags.HasFlag(RegionFlags.Mmap) || files.Count == 0 || info.Size == 0)
            return new(info with { Flags = info.Flags & ~RegionFlags.Mmap, SparseAreas = null }, null);
        var file = files[0];
        files.RemoveAt(0);
        return new(info, new RegionMapping
        {
            File = file,
            FileOffset = (long)head.FileOffset,
            Areas = info.SparseAreas ?? [new RegionArea(0, info.Size)],
        });
    }
}
