using System.Runtime.InteropServices;
using System.Text.Json;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Negotiation;

/// <summary>What the server answers to a VERSION message: its own limits, and of the client's proposals those that it grants.</summary>
internal static class ServerCapabilities
{
    /// <summary>Writes the payload of the reply.</summary>
    /// <param name="client">What the client proposes.</param>
    /// <param name="dmaMaps">How many maps it may have.</param>
    /// <param name="twinIndex">Which descriptor of the reply is the twin socket; null for none.</param>
    /// <param name="reply">Receives it.</param>
    /// <returns>Bytes of the payload.</returns>
    public static int Write(PeerCapabilities client, int dmaMaps, int? twinIndex, Reply reply)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteStartObject("capabilities");
            json.WriteNumber("max_msg_fds", Limits.MessageDescriptors);
            json.WriteNumber("max_data_xfer_size", Limits.DataTransfer);
            json.WriteNumber("max_dma_maps", Math.Min(dmaMaps, Limits.AnnouncedDmaMaps));
            json.WriteNumber("pgsizes", Limits.PageSize);
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
        var head = new VersionHead { Major = Limits.Major, Minor = Math.Min(client.Minor, Limits.Minor) };
        var payload = reply.Payload(VersionHead.Size + (int)text.Length);
        MemoryMarshal.Write(payload, head);
        text.GetBuffer().AsSpan(0, (int)text.Length).CopyTo(payload[VersionHead.Size..]);
        return payload.Length;
    }
}
