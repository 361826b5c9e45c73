using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>
/// A device over a server that a test scripts: it answers what opening asks with as little as there can be, but what the test answers itself.
/// </summary>
internal sealed class ScriptedDevice : IAsyncDisposable
{
    private readonly Func<RawMessage, RawSocket, bool> _answer;
    private readonly Task _serving;

    /// <param name="answer">Answers a command; false: it has not.</param>
    /// <param name="options">How the device speaks.</param>
    public ScriptedDevice(Func<RawMessage, RawSocket, bool> answer, VfioUserClientOptions? options = null)
    {
        _answer = answer;
        var (here, there) = RawSocket.Pair();
        Socket = here;
        Device = new VfioUserDevice(VfioUserEndpoint.Descriptor(there), options);
        _serving = Task.Factory.StartNew(Serve, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public RawSocket Socket { get; }

    public VfioUserDevice Device { get; }

    public ValueTask<VfioResult> OpenAsync(IDmaSpace? dma = null, CancellationToken cancellationToken = default)
        => Device.OpenAsync(new VfioOpenContext { Dma = dma ?? new DmaSpace() }, cancellationToken);

    public static void Reply(RawSocket socket, RawMessage request, byte[] payload, params Microsoft.Win32.SafeHandles.SafeFileHandle[] descriptors)
        => socket.Send(RawMessage.Build(request.Id, request.Command, payload, 1), descriptors);

    public async ValueTask DisposeAsync()
    {
        await Device.CloseAsync(ResetCause.Close);
        await _serving;
        Socket.Dispose();
    }

    private void Serve()
    {
        while (Socket.ReceiveMessage() is { } request)
        {
            foreach (var descriptor in request.Descriptors)
                new Microsoft.Win32.SafeHandles.SafeFileHandle(descriptor, true).Dispose();
            if (!_answer(request, Socket))
                Answer(request);
        }
    }

    private void Answer(RawMessage request)
    {
        byte[]? payload = request.Command switch
        {
            1 => TestClient.VersionPayload(0, 0, ScriptedServer.Capabilities),
            2 => [],
            3 => request.Payload,
            4 => Fields.Of(16u, 2u, 1u, 0u),
            5 => Fields.Of(32u, 3u, 0u, 0u, 0x10000ul, 0ul),
            _ => null,
        };
        Socket.Send(payload is null
            ? RawMessage.Build(request.Id, request.Command, [], 0x21, (uint)Errno.ENOTTY)
            : RawMessage.Build(request.Id, request.Command, payload, 1));
    }
}
