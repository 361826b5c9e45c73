using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Client.Calls;
using Vfio.User.Negotiation;
using Vfio.User.Wire;

namespace Vfio.User.Client.Connecting;

/// <summary>The VERSION message: what this client proposes, and what it makes of the answer.</summary>
internal static class ClientNegotiation
{
    /// <summary>More than any server says of itself.</summary>
    private const int LongestReply = 64 << 10;

    /// <summary>Negotiates; a twin socket that the server grants is served from then on.</summary>
    /// <exception cref="VfioException">The server cannot be spoken to.</exception>
    public static async Task<VfioUserServerInfo> RunAsync(
        Connection connection, Caller caller, bool twinSocket, CancellationToken cancellationToken)
    {
        var call = caller.Begin(Command.Version, Proposal(twinSocket), LongestReply)
            ?? throw new VfioException(Errno.ECONNRESET, $"{connection.Name}: the server has closed the connection");
        try
        {
            call.MostDescriptors = Libc.SCM_MAX_FD;
            var result = await caller.CallAsync(call, cancellationToken).ConfigureAwait(false);
            if (!result.IsSuccess)
                throw Refused(connection, result.Error);
            var server = Read(connection.Name, call, twinSocket);
            if (server.Info.TwinSocket)
            {
                connection.AddTwin(CheckTwin(connection.Name, call.Descriptors[server.TwinIndex]));
                call.Descriptors.RemoveAt(server.TwinIndex);
            }

            return server.Info;
        }
        finally
        {
            caller.End(call);
        }
    }

    private static byte[] Proposal(bool twinSocket)
    {
        var text = "{\"capabilities\":{"
            + $"\"max_msg_fds\":{Libc.SCM_MAX_FD},\"max_data_xfer_size\":{Limits.DataTransfer},\"max_dma_maps\":{Limits.AnnouncedDmaMaps},"
            + $"\"pgsizes\":{Limits.PageSize},\"migration\":{{\"pgsize\":{Limits.PageSize},\"max_bitmap_size\":{Limits.Bitmap}}},"
            + "\"write_multiple\":true" + (twinSocket ? ",\"twin_socket\":{\"supported\":true}" : "") + "}}\0";
        var payload = new byte[VersionHead.Size + Encoding.UTF8.GetByteCount(text)];
        MemoryMarshal.Write(payload, new VersionHead { Major = Limits.Major, Minor = Limits.Minor });
        Encoding.UTF8.GetBytes(text, payload.AsSpan(VersionHead.Size));
        return payload;
    }

    private static (VfioUserServerInfo Info, int TwinIndex) Read(string name, Call call, bool twinSocket)
    {
        var body = call.Reply;
        if (!MemoryMarshal.TryRead<VersionHead>(body, out var head))
            throw new VfioException(Errno.EPROTO, $"{name}: the server answers VERSION with {body.Length} bytes");
        if (head.Major != Limits.Major || head.Minor > Limits.Minor)
        {
            throw new VfioException(
                Errno.EOPNOTSUPP, $"{name}: the server speaks version {head.Major}.{head.Minor}, and not {Limits.Major}.{Limits.Minor}");
        }

        var text = Encoding.UTF8.GetString(body[VersionHead.Size..]).TrimEnd('\0');
        var parsed = PeerCapabilities.Parse(body);
        if (!parsed.IsSuccess)
            throw new VfioException(Errno.EPROTO, $"{name}: the server's capabilities cannot be: {text}");
        var peer = parsed.Value;

        // What was not proposed cannot be granted.
        var hasTwin = twinSocket && peer.TwinSocket;
        var index = peer.TwinIndex ?? 0;
        if (hasTwin && index >= call.Descriptors.Count)
            throw new VfioException(Errno.EPROTO, $"{name}: the server grants a twin socket and does not send it: {text}");
        return (new VfioUserServerInfo
        {
            Minor = head.Minor,
            MaxMessageDescriptors = Math.Min(peer.MessageDescriptors ?? 1, Libc.SCM_MAX_FD),
            MaxDataTransfer = (int)peer.DataTransfer,
            WriteMultiple = peer.WriteMultiple,
            TwinSocket = hasTwin,
            MigrationPageSize = peer.MigrationPageSize,
            AnnouncesMaps = peer.AnnouncesMaps,
            Capabilities = text,
        }, index);
    }

    // Only a socket of this kind is sure to let go of the thread that receives on it when it is shut down.
    private static SafeFileHandle CheckTwin(string name, SafeFileHandle granted)
    {
        try
        {
            return ServerSocket.Check(granted, $"{name}: the server's twin socket");
        }
        catch (VfioException fault)
        {
            throw new VfioException(Errno.EPROTO, $"{name}: the server grants a twin socket that is none ({fault.Message})", fault);
        }
    }

    private static VfioException Refused(Connection connection, Errno error)
    {
        return error is Errno.ECONNRESET or Errno.ENOTCONN && connection.Failure is { } reason
            ? new VfioException(reason.Error, $"{reason.Message} (before a version was negotiated)", reason)
            : new VfioException(error, $"{connection.Name}: the server refuses the version or the capabilities: {error}");
    }
}
