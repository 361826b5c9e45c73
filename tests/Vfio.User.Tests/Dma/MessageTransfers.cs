using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Dma;

/// <summary>The client's side of DMA_READ and DMA_WRITE.</summary>
internal static class MessageTransfers
{
    public const ulong Base = 0x100000;

    public static async Task<(RunningServer Server, TestClient Client)> StartAsync(
        TimeSpan? transferTimeout = null, string? capabilities = null)
    {
        var options = new VfioUserServerOptions { TransferTimeout = transferTimeout ?? TimeSpan.FromSeconds(20) };
        var server = await RunningServer.StartAsync(options);
        var client = server.Connect(capabilities ?? TestClient.QemuCapabilities);
        client.Succeed(2, TestClient.Map(Base, 0x100000));
        return (server, client);
    }

    public static void Answer(TestClient client, RawMessage request, params object[] payload)
        => Assert.True(client.Socket.Send(RawMessage.Build(request.Id, request.Command, Fields.Of(payload), 1)));

    /// <summary>A thread of the device: one that blocks, and so none of the pool.</summary>
    public static Task<T> OnThread<T>(Func<T> work)
        => Task.Factory.StartNew(work, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public static RawMessage ReceiveRequest(RawSocket socket, ushort command, ulong address, ulong count)
    {
        var request = socket.ReceiveMessage();
        Assert.NotNull(request);
        Assert.Equal((command, 0u, 0), (request.Command, request.Flags, request.Error));
        Assert.Equal(Fields.Of(address, count), request.Payload[..16]);
        return request;
    }
}
