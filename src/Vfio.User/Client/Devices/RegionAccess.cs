using System.Runtime.InteropServices;
using Vfio.User.Wire;

namespace Vfio.User.Client.Devices;

/// <summary>REGION_READ and REGION_WRITE: synchronous, in pieces that the server takes. Allocates nothing.</summary>
internal static class RegionAccess
{
    public static unsafe VfioResult<int> Read(VfioUserClient client, int region, ulong offset, Span<byte> destination)
    {
        var done = 0;
        fixed (byte* bytes = destination)
        {
            while (done < destination.Length)
            {
                var length = Math.Min(destination.Length - done, client.Server.MaxDataTransfer);
                var read = ReadOnce(client, region, offset + (uint)done, bytes + done, length);
                if (!read.IsSuccess)
                    return done != 0 ? done : read;
                done += read.Value;
                if (read.Value < length)
                    break;
            }
        }

        return done;
    }

    public static VfioResult<int> Write(VfioUserClient client, int region, ulong offset, ReadOnlySpan<byte> source)
    {
        var done = 0;
        while (done < source.Length)
        {
            var length = Math.Min(source.Length - done, client.MaxWrite);
            var written = WriteOnce(client, region, offset + (uint)done, source.Slice(done, length));
            if (!written.IsSuccess)
                return done != 0 ? done : written;
            done += written.Value;
            if (written.Value < length)
                break;
        }

        return done;
    }

    private static unsafe VfioResult<int> ReadOnce(VfioUserClient client, int region, ulong offset, byte* destination, int length)
    {
        var request = new RegionAccessStructure { Offset = offset, Region = (uint)region, Count = (uint)length };
        if (client.Caller.Begin(Command.RegionRead, request, RegionAccessStructure.Size) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            call.PlaceData(destination, length);
            var result = client.Caller.Call(call);
            if (!result.IsSuccess)
                return result;
            return MemoryMarshal.TryRead<RegionAccessStructure>(call.Reply, out var head)
                && head.Count <= (uint)length && head.Count <= (uint)(result.Value - RegionAccessStructure.Size)
                ? (int)head.Count : client.Refuse($"answers REGION_READ of {length} bytes with {result.Value}");
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    private static VfioResult<int> WriteOnce(VfioUserClient client, int region, ulong offset, ReadOnlySpan<byte> source)
    {
        var request = new RegionAccessStructure { Offset = offset, Region = (uint)region, Count = (uint)source.Length };
        if (client.Caller.Begin(Command.RegionWrite, request, RegionAccessStructure.Size) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            var result = client.Caller.Call(call, source);
            if (!result.IsSuccess)
                return result;
            return MemoryMarshal.TryRead<RegionAccessStructure>(call.Reply, out var head) && head.Count <= (uint)source.Length
                ? (int)head.Count : client.Refuse($"answers REGION_WRITE of {source.Length} bytes with a count of {head.Count}");
        }
        finally
        {
            client.Caller.End(call);
        }
    }
}
