using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;
using Vfio.User.Tests.Robustness;

namespace Vfio.User.Tests.Client;

/// <summary>A server that is lost after any message of it, and descriptors of it that are lost on the way.</summary>
[Collection(ProcessWide.Name)]
public class LostServerTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_is_lost_in_any_phase_of_opening_is_an_errno_and_leaves_nothing()
    {
        await using var server = await MigratingServer.StartAsync();
        Assert.InRange(await LoseAsync(server), 15, 100);
        var descriptors = Count(server);
        await LoseAsync(server);
        var left = Count(server);
        Assert.True(left <= descriptors, $"{left} are open, {descriptors} were: {string.Join(' ', TestFiles.DescriptorTargets())}");
    }

    [Fact]
    public async Task Descriptors_that_there_is_no_room_for_end_the_connection()
    {
        using var descriptor = TestFiles.EventFd();

        // First with room for one of two: what the runtime opens by itself at the first time is open when there is room for none.
        foreach (var room in new[] { 1, 0 })
        {
            await using var server = await ScriptedServer.ConnectAsync();
            var error = Errno.None;
            using var ended = new ManualResetEventSlim();
            var asking = new Thread(() =>
            {
                error = server.Client.Call(7, Fields.Of(16u, 0u, 0u, 0u), new byte[16]).Error;
                ended.Set();
            });
            asking.Start();
            var request = server.Receive();
            using (new DescriptorLimit(room))
            {
                server.Reply(request, new byte[16], descriptor, descriptor);
                Assert.True(ended.Wait(TimeSpan.FromSeconds(20), Cancelled));
            }

            Assert.Equal(Errno.ECONNRESET, error);
            var reason = await Assert.ThrowsAsync<VfioException>(() => server.Client.Completion);
            Assert.Equal(Errno.EPROTO, reason.Error);
            Assert.Contains("descriptors", reason.Message, StringComparison.Ordinal);
        }
    }

    // What is open when the server has done with its last client.
    private static int Count(MigratingServer server)
    {
        server.Inner.AssertServesNext();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return TestFiles.OpenDescriptors();
    }

    // How many phases there are.
    private static async Task<int> LoseAsync(MigratingServer server)
    {
        for (var last = 0; ; last++)
        {
            var dma = new DmaSpace();
            Assert.True(dma.Map(FileMemory.Create(0, 0x1000)).IsSuccess);
            Assert.True(dma.Map(FileMemory.Create(0x1000, 0x1000)).IsSuccess);
            var (here, there) = RawSocket.Pair();
            var forwarding = Task.Factory.StartNew(
                () => Forward(here, server.Path, last), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            var device = new VfioUserDevice(VfioUserEndpoint.Descriptor(there), new VfioUserClientOptions { TwinSocket = false });
            var opened = await device.OpenAsync(new VfioOpenContext { Dma = dma }, Cancelled).AsTask().WaitAsync(TimeSpan.FromSeconds(30), Cancelled);
            await device.CloseAsync(ResetCause.Close);
            await forwarding;
            dma.UnmapAll();
            if (opened.IsSuccess)
                return last;
            Assert.True(opened.Error is Errno.ECONNRESET or Errno.ENOTCONN, $"after {last} messages: {opened.Error}");
        }
    }

    // Passes so many messages of the server on, descriptors included, and hangs up instead of the next one.
    private static void Forward(RawSocket client, string path, int last)
    {
        using var ending = client;
        using var server = RawSocket.Connect(path);
        for (var passed = 0; client.ReceiveMessage() is { } request; passed++)
        {
            Pass(request, server);
            if (server.ReceiveMessage() is not { } reply)
                return;
            if (passed == last)
            {
                foreach (var descriptor in reply.Descriptors)
                    new SafeFileHandle(descriptor, true).Dispose();
                return;
            }

            Pass(reply, client);
        }
    }

    private static void Pass(RawMessage message, RawSocket to)
    {
        SafeFileHandle[] descriptors = [.. message.Descriptors.Select(descriptor => new SafeFileHandle(descriptor, true))];
        to.Send(message.Bytes, descriptors);
        foreach (var descriptor in descriptors)
            descriptor.Dispose();
    }
}
