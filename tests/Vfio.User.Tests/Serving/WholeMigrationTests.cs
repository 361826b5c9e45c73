using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Serving;

/// <summary>Migrations over the wire of a device behind the core's migration service.</summary>
[Collection(ProcessWide.Name)]
public class WholeMigrationTests
{
    private const uint Get = 1 << 16, Set = 1 << 17;
    private const int Size = 3_000_001;

    [Fact]
    public async Task A_state_goes_from_one_server_to_another_by_messages_of_any_size()
    {
        var from = new StateDevice(Size);
        var to = new StateDevice(Size);
        new Random(1).NextBytes(from.State);
        var (source, destination) = (Serve(from, out var first), Serve(to, out var second));
        using (source)
        using (destination)
        {
            destination.SetState(4);
            source.SetState(6);
            Assert.Equal(Fields.Of(24u, 0u, (ulong)0, (ulong)0).Length, source.Succeed(19, Fields.Of(24u, 0u, 0ul, 0ul)).Length);
            var early = Read(source, 1 << 20, out var end);
            Assert.Equal((Size / 2, Errno.ENOMSG), (early.Count, end));
            Assert.Equal(from.State[..(Size / 2)], early);
            source.SetState(3);
            var rest = Read(source, 99_991, out end);
            Assert.Equal(Errno.None, end);
            Assert.Equal(from.State, rest);
            var random = new Random(2);
            for (var at = 0; at < rest.Count;)
            {
                var count = Math.Min(random.Next(1, 1 << 20), rest.Count - at);
                destination.Succeed(18, Fields.Of((uint)count + 8, (uint)count, rest.GetRange(at, count).ToArray()));
                at += count;
            }

            destination.SetState(2);
            source.SetState(1);
            Assert.Equal(from.State, to.State);
        }

        await Task.WhenAll(first, second).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Data_of_another_length_is_refused_and_leaves_a_device_that_a_reset_mends()
    {
        var device = new StateDevice(1000);
        using var client = Serve(device, out var running);
        client.SetState(4);
        client.Succeed(18, Fields.Of(1007u, 999u, new byte[999]));
        client.Refuse(Errno.EBADMSG, 16, Fields.Of(16u, 2u | Set, 1u, -1));
        client.Succeed(13, []);
        client.SetState(4);
        client.Refuse(Errno.E2BIG, 18, Fields.Of(1009u, 1001u, new byte[1001]));
        client.Succeed(13, []);
        Assert.Equal(Fields.Of(16u, 2u | Get, 2u, -1), client.Succeed(16, Fields.Of(16u, 2u | Get)));
        client.Dispose();
        await running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_reset_ends_the_session_with_ENODEV_and_leaves_RUNNING()
    {
        var device = new StateDevice(Size);
        using var client = Serve(device, out var running);
        client.SetState(3);
        client.Succeed(17, Fields.Of(108u, 100u));
        client.Succeed(13, []);
        client.Refuse(Errno.ENODEV, 17, Fields.Of(108u, 100u));
        Assert.Equal(Fields.Of(16u, 2u | Get, 2u, -1), client.Succeed(16, Fields.Of(16u, 2u | Get)));
        client.SetState(4);
        client.Succeed(13, []);
        client.Refuse(Errno.ENODEV, 18, Fields.Of(108u, 100u, new byte[100]));
        client.Dispose();
        await running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Clients_that_go_in_any_state_leave_nothing(bool keepOpen)
    {
        var device = new StateDevice(Size);
        using var stop = new CancellationTokenSource();
        var directory = Directory.CreateTempSubdirectory("vfio-user-");
        var path = Path.Combine(directory.FullName, "s");
        var server = new VfioUserServer(device, new() { KeepOpen = keepOpen });
        var running = server.RunAsync(VfioUserEndpoint.Path(path), stop.Token);
        await server.Listening;
        Visit(path, 40, keepOpen);
        var before = (Descriptors: TestFiles.OpenDescriptors(), Resident: TestFiles.ResidentBytes());
        Visit(path, 300, keepOpen);
        var grown = TestFiles.ResidentBytes() - before.Resident;
        Assert.True(grown < 48 << 20, $"{grown >> 10} KiB more are resident");
        Assert.True(TestFiles.OpenDescriptors() <= before.Descriptors, $"{TestFiles.OpenDescriptors()} descriptors, {before} before");
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        directory.Delete(recursive: true);
    }

    private static void Visit(string path, int times, bool keepOpen)
    {
        uint[][] ways = [[1], [3], [6], [6, 3], [4], [4], [5], [7], [7, 3], [6, 2]];
        for (var i = 0; i < times; i++)
        {
            using var client = TestClient.ConnectAndNegotiate(path);
            var state = BitConverter.ToUInt32(client.Succeed(16, Fields.Of(16u, 2u | Get)), 8);
            if (!keepOpen)
                Assert.Equal(2u, state);
            if (i % 3 == 1 && keepOpen)
                client.Succeed(13, []);
            foreach (var next in ways[i % ways.Length])
                client.Request(16, Fields.Of(16u, 2u | Set, next, -1));
            client.Send(i % 2 == 0 ? (ushort)17 : (ushort)18, Fields.Of(100_008u, 100_000u, new byte[i % 2 == 0 ? 0 : 100_000]));
            if (i % 4 < 2)
                client.Receive();
        }
    }

    private static TestClient Serve(VfioDevice device, out Task running)
    {
        var (socket, there) = RawSocket.Pair();
        running = new VfioUserServer(device).RunAsync(VfioUserEndpoint.Descriptor(there), CancellationToken.None);
        var client = new TestClient(socket);
        client.Negotiate();
        return client;
    }

    private static List<byte> Read(TestClient client, int chunk, out Errno end)
    {
        var data = new List<byte>();
        while (true)
        {
            var reply = client.Request(17, Fields.Of((uint)chunk + 8, (uint)chunk));
            end = (Errno)reply.Error;
            if (end != Errno.None)
                return data;
            Assert.Equal(chunk + 8, reply.Payload.Length);
            var count = BitConverter.ToInt32(reply.Payload, 4);
            if (count == 0)
                return data;
            data.AddRange(reply.Payload.AsSpan(8, count));
        }
    }
}
