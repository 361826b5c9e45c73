using Microsoft.Win32.SafeHandles;
using Vfio.User.Wire;

namespace Vfio.User.Client.Devices;

/// <summary>Gives the server what is mapped in a DMA space: the file of a range where it has one; the server asks for the bytes otherwise.</summary>
internal sealed class DmaMapper(VfioUserClient client) : IDmaObserver
{
    public VfioResult OnMapped(DmaMap map)
    {
        var backing = client.Server.MaxMessageDescriptors > 0 ? map.Backing : null;
        var request = new DmaMapStructure
        {
            ArgSize = DmaMapStructure.Size,
            Flags = (DmaMapFlags)map.Access,
            FileOffset = backing?.Offset ?? 0,
            Address = map.Iova,
            Length = map.Size,
        };
        if (client.Caller.Begin(Command.DmaMap, request, 0) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            var file = backing?.File;
            VfioResult result = client.Caller.Call(call, default, file is null ? default : new ReadOnlySpan<SafeFileHandle>(ref file));

            // The range is not mapped then, and the server may have it all the same.
            if (result.Error == Errno.ETIMEDOUT)
                client.Refuse("does not say whether it has taken a range of memory");
            return result;
        }
        finally
        {
            client.Caller.End(call);
        }
    }

    public void OnUnmapping(DmaMap map)
    {
        var request = new DmaUnmapStructure { ArgSize = DmaUnmapStructure.Size, Address = map.Iova, Length = map.Size };
        var result = Unmap(request);

        // A server whose time for an answer was over has waited for its device, and unmapped the range: it finds nothing there now.
        if (result.Error == Errno.ETIMEDOUT)
            result = Unmap(request);

        // The range is going away whatever the server says: one that keeps it must not be spoken to any more.
        if (!result.IsSuccess && result.Error is not (Errno.ENOENT or Errno.ENOTCONN or Errno.ECONNRESET))
            client.Refuse($"does not give a range of memory back ({result.Error})");
    }

    private VfioResult Unmap(in DmaUnmapStructure request)
    {
        if (client.Caller.Begin(Command.DmaUnmap, request, DmaUnmapStructure.Size) is not { } call)
            return Errno.ENOTCONN;
        try
        {
            return client.Caller.Call(call);
        }
        finally
        {
            client.Caller.End(call);
        }
    }
}
