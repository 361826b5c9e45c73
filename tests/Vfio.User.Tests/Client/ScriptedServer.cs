using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>The server's end of a connection, on which a test says what it likes.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    public const string Capabilities = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}";

    private ScriptedServer(RawSocket socket, VfioUserClient client)
    {
        Socket = socket;
        Client = client;
    }

    public RawSocket Socket { get; }

    public VfioUserClient Client { get; }

    public static async Task<ScriptedServer> ConnectAsync(
        IDmaSpace? dma = null, VfioUserClientOptions? options = null, string capabilities = Capabilities, params SafeFileHandle[] twin)
    {
        var (here, there) = RawSocket.Pair();
        try
        {
            var connecting = VfioUserClient.ConnectAsync(VfioUserEndpoint.Descriptor(there), dma, options);
            AnswerVersion(here, TestClient.VersionPayload(0, 0, capabilities), twin);
            return new ScriptedServer(here, await connecting);
        }
        catch
        {
            here.Dispose();
            throw;
        }
    }

    public static void AnswerVersion(RawSocket socket, byte[] payload, params SafeFileHandle[] descriptors)
    {
        var version = socket.ReceiveMessage()!;
        Assert.Equal((1, 0u), (version.Command, version.Flags));
        socket.Send(RawMessage.Build(version.Id, 1, payload, 1), descriptors);
    }

    public RawMessage Receive() => Socket.ReceiveMessage() ?? throw new EndOfStreamException("the client has closed the connection");

    public void Reply(RawMessage request, byte[] payload, params SafeFileHandle[] descriptors)
        => Socket.Send(RawMessage.Build(request.Id, request.Command, payload, 1), descriptors);

    public void Refuse(RawMessage request, Errno error)
        => Socket.Send(RawMessage.Build(request.Id, request.Command, [], 0x21, (uint)error));

    /// <summary>A call of GET_IRQ_INFO on a thread of its own, whose reply has 16 bytes.</summary>
    public Task<VfioResult<int>> Ask() => Task.Run(() => Client.Call(7, Fields.Of(16u, 0u, 0u, 0u), new byte[16]));

    public async ValueTask DisposeAsync()
    {
        Socket.Dispose();
        await Client.DisposeAsync();
    }
}
