using System.Runtime.InteropServices;
using System.Text.Json;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Negotiation;

/// <summary>What the server answers to a VERSION message: its own limits, and of the client's proposals those that it grants.</summary>
internal static class ServerCapabilities
{
    // In the order in which they are left out of a reply that would be too long; what is left out has a default that is right or harmless.
    private enum Optional
    {
        None,
        MaxBitmapSize,
        PageSizes,
        MaxDmaMaps,
    }

    /// <summary>Writes the payload of the reply.</summary>
    /// <param name="client">What the client proposes.</param>
    /// <param name="dmaMaps">How many maps it may have.</param>
    /// <param name="migrates">Whether the device migrates, or logs its DMA.</param>
    /// <param name="twinIndex">Which descriptor of the reply is the twin socket; null for none.</param>
    /// <param name="reply">Receives it.</param>
    /// <returns>Bytes of the payload.</returns>
    public static int Write(PeerCapabilities client, int dmaMaps, bool migrates, int? twinIndex, Reply reply)
    {
        var isMigration = migrates && client.MigrationPageSize is not null;
        var text = Text(client, dmaMaps, isMigration, twinIndex, Optional.None);
        for (var without = Optional.MaxBitmapSize; text.Length > Limits.VersionText && without <= Optional.MaxDmaMaps; without++)
            text = Text(client, dmaMaps, isMigration, twinIndex, without);
        var head = new VersionHead { Major = Limits.Major, Minor = Math.Min(client.Minor, Limits.Minor) };
        var payload = reply.Payload(VersionHead.Size + text.Length);
        MemoryMarshal.Write(payload, head);
        text.CopyTo(payload[VersionHead.Size..]);
        return payload.Length;
    }

    private static byte[] Text(PeerCapabilities client, int dmaMaps, bool isMigration, int? twinIndex, Optional without)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteStartObject("capabilities");
            json.WriteNumber("max_msg_fds", Limits.MessageDescriptors);
            json.WriteNumber("max_data_xfer_size", Limits.DataTransfer);
            if (without < Optional.MaxDmaMaps)
                json.WriteNumber("max_dma_maps", Math.Min(dmaMaps, Limits.AnnouncedDmaMaps));
            if (without < Optional.PageSizes)
                json.WriteNumber("pgsizes", Limits.PageSize);
            if (isMigration)
            {
                json.WriteStartObject("migration");
                json.WriteNumber("pgsize", Limits.PageSize);
                if (without < Optional.MaxBitmapSize && client.MaxBitmapSize is { } longest)
                    json.WriteNumber("max_bitmap_size", Math.Min(longest, Limits.Bitmap));
                json.WriteEndObject();
            }

            if (client.WriteMultiple)
                json.WriteBoolean("write_multiple", true);
            if (twinIndex is { } index)
            {
                json.WriteStartObject("twin_socket");
                json.WriteBoolean("supported", true);
                json.WriteNumber("fd_index", index);
                json.WriteEndObject();
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        // The NUL counts.
        text.WriteByte(0);
        return text.ToArray();
    }
}
