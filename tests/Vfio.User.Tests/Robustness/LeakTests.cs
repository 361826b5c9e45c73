using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Robustness;

[Collection(ProcessWide.Name)]
public class LeakTests
{
    [Fact]
    public async Task No_descriptor_is_left_of_bad_messages_and_of_clients_that_come_and_go()
    {
        await using var server = await RunningServer.StartAsync();
        using var one = TestFiles.EventFd();
        using var memory = TestFiles.SealedMemory(0x1000);
        using var file = TestFiles.UnsealedMemory(0x1000);
        SafeFileHandle[] many = [.. Enumerable.Repeat(one, 64)];
        server.AssertServesNext();
        Mistreat(server, one, memory, file, many, 20);
        var before = TestFiles.OpenDescriptors();
        Mistreat(server, one, memory, file, many, 500);
        await server.StopAsync();
        Assert.True(TestFiles.OpenDescriptors() <= before, $"{TestFiles.OpenDescriptors()} descriptors are open, {before} were");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(0)]
    public async Task Descriptors_that_the_process_has_no_room_for_end_their_client_and_none_is_left(int room)
    {
        await using var server = await RunningServer.StartAsync();
        server.AssertServesNext();
        using var one = TestFiles.EventFd();
        SafeFileHandle[] eight = [.. Enumerable.Repeat(one, 8)];
        var client = server.Connect();
        using (new DescriptorLimit(room))
        {
            // MSG_CTRUNC: some have come, the others are lost.
            Assert.True(client.Socket.Send(RawMessage.Build(0, 8, Fields.Of(20u, 0x24u, 2u, 0u, 8u)), eight));
            client.AssertClosed();
        }

        client.Dispose();
        server.AssertServesNext();
        var before = TestFiles.OpenDescriptors();
        Truncate(server, eight, room);
        await server.StopAsync();
        Assert.True(TestFiles.OpenDescriptors() <= before, $"{TestFiles.OpenDescriptors()} descriptors are open, {before} were");
    }

    [Fact]
    public async Task A_client_that_the_process_has_no_room_for_is_closed_and_the_next_one_served()
    {
        await using var server = await RunningServer.StartAsync();
        server.AssertServesNext();
        StarveAll(server);
        var before = OpenAfterCollection();
        for (var i = 0; i < 5; i++)
            StarveAll(server);
        server.AssertServesNext();
        await server.StopAsync();
        Assert.True(OpenAfterCollection() <= before, $"{OpenAfterCollection()} descriptors are open, {before} were");
    }

    // One more each time: the client's own socket and its acceptance, then all that a session with a twin socket is made of.
    private static void StarveAll(RunningServer server)
    {
        for (var room = 2; room < 8; room++)
        {
            using var limit = new DescriptorLimit(room);
            using var client = TestClient.Connect(server.Path);
            client.Socket.Send(RawMessage.Build(
                0, 1, TestClient.VersionPayload(0, 0, "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}")));
            Assert.Null(client.Socket.ReceiveMessage());
        }
    }

    private static int OpenAfterCollection()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return TestFiles.OpenDescriptors();
    }

    private static void Truncate(RunningServer server, SafeFileHandle[] descriptors, int room)
    {
        for (var i = 0; i < 10; i++)
        {
            using var client = server.Connect();
            using (new DescriptorLimit(room))
            {
                Assert.True(client.Socket.Send(RawMessage.Build(0, 999, new byte[32]), descriptors));
                client.AssertClosed();
            }
        }
    }

    private static void Mistreat(
        RunningServer server, SafeFileHandle one, SafeFileHandle memory, SafeFileHandle file, SafeFileHandle[] many, int times)
    {
        for (var i = 0; i < times; i++)
        {
            using var client = server.Connect(i % 2 == 0 ? TestClient.QemuCapabilities : "{}");
            client.Request(2, TestClient.Map(0, 0x1000), memory);
            client.Request(2, TestClient.Map(0, 0x1000), memory);
            client.Request(2, TestClient.Map(0x1000, 0x1000), file);
            client.Request(2, TestClient.Map(0x1000, 0x1000), file);
            client.Request(2, TestClient.Map(0x2000, 0x1000), one);
            client.Request(2, TestClient.Map(0x2000, 0x1000), one, one);
            client.Request(8, Fields.Of(20u, 0x24u, 2u, 0u, 2u), one, memory);
            client.Request(8, Fields.Of(20u, 0x24u, 2u, 0u, 1u), one);
            client.Request(8, Fields.Of(28u, 0x24u, 2u, 0u, 2u, -1, 0), one, one);
            client.Request(8, Fields.Of(28u, 0x24u, 2u, 0u, 2u, 0, 0), one, one);
            client.Request(13, [], many);
            client.Request(999, new byte[100], many);
            foreach (var descriptor in client.Request(5, Fields.Of(80u, 0u, 1u, 0u, 0ul, 0ul)).Descriptors)
                new SafeFileHandle(descriptor, true).Dispose();
            if (i % 3 == 0)
                client.Socket.Send(RawMessage.Build(0, 9, [], size: 5), many);
            else if (i % 3 == 1)
                client.Socket.Send(RawMessage.Build(0, 9, new byte[50]).AsSpan(0, 40), many);
        }
    }

    [Fact]
    public async Task No_memory_is_left_of_clients_that_come_and_go()
    {
        await using var server = await RunningServer.StartAsync();
        Visit(server, 50);
        var before = TestFiles.ResidentBytes();
        Visit(server, 200);
        var grown = TestFiles.ResidentBytes() - before;

        // 200 clients with a message of 1 MiB each way: what stayed of them would be 400 MiB.
        Assert.True(grown < 64 << 20, $"{grown >> 20} MiB more are resident");
    }

    [Fact]
    public void Buffers_of_a_session_that_could_not_be_set_up_are_given_back()
    {
        var before = TestFiles.ResidentBytes();
        Abandon(64);
        var grown = TestFiles.ResidentBytes() - before;
        Assert.True(grown < 32 << 20, $"{grown >> 20} MiB more are resident");
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static void Abandon(int buffers)
    {
        // What a constructor has made before it throws: nobody is left to dispose it.
        for (var i = 0; i < buffers; i++)
            new Transport.NativeBuffer(4 << 20).Span(0, 4 << 20).Fill(1);
    }

    private static void Visit(RunningServer server, int times)
    {
        server.Device.OnWrite = (_, _, data) => data.Length;
        server.Device.OnRead = (_, _, count) => count;
        var payload = Fields.Of(0ul, 0u, 1u << 20, new byte[1 << 20]);
        for (var i = 0; i < times; i++)
        {
            using var client = server.Connect();
            client.Succeed(10, payload);
            client.ReadRegion(0, 0, 1 << 20);
        }
    }
}
