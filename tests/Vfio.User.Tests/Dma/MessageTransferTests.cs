using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

using static Vfio.User.Tests.Dma.MessageTransfers;

namespace Vfio.User.Tests.Dma;

/// <summary>
/// Memory that came without a descriptor: DMA_READ and DMA_WRITE to the client, on threads of the device and on the connection's own.
/// </summary>
public class MessageTransferTests
{
    [Fact]
    public async Task A_devices_thread_reads_and_writes_while_the_connection_waits_for_commands()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            var bytes = new byte[3];
            var read = Task.Run(() => server.Device.Dma.Read(Base + 5, bytes));
            var request = ReceiveRequest(client.Socket, 11, Base + 5, 3);
            Assert.Equal(32u, request.Size);
            Answer(client, request, Base + 5, 3ul, new byte[] { 1, 2, 3 });
            Assert.True((await read).IsSuccess);
            Assert.Equal([1, 2, 3], bytes);

            var write = Task.Run(() => server.Device.Dma.Write(Base, new byte[] { 4, 5 }));
            request = ReceiveRequest(client.Socket, 12, Base, 2);
            Assert.Equal([4, 5], request.Payload[16..]);
            Answer(client, request, Base, 2ul);
            Assert.True((await write).IsSuccess);

            // The count of the reply is 4 bytes wide in the text of the specification.
            write = Task.Run(() => server.Device.Dma.Write(Base, new byte[] { 4, 5 }));
            Answer(client, ReceiveRequest(client.Socket, 12, Base, 2), Base, 2u);
            Assert.True((await write).IsSuccess);
        }
    }

    [Theory]
    [InlineData(1048576, 65536)]
    [InlineData(1024, 1024)]
    [InlineData(4, 4)]
    public async Task A_transfer_is_cut_to_what_the_client_and_its_socket_take(int announced, int chunk)
    {
        var (server, client) = await StartAsync(capabilities: $"{{\"capabilities\":{{\"max_data_xfer_size\":{announced}}}}}");
        await using (server)
        using (client)
        {
            var length = (chunk * 2) + 1;
            var source = Enumerable.Range(0, length).Select(i => (byte)(i * 7)).ToArray();
            var write = Task.Run(() => server.Device.Dma.Write(Base, source));
            var received = new List<byte>();
            foreach (var count in new[] { chunk, chunk, 1 })
            {
                var request = ReceiveRequest(client.Socket, 12, Base + (ulong)received.Count, (ulong)count);
                received.AddRange(request.Payload[16..]);
                Answer(client, request, Base, (ulong)count);
            }

            Assert.True((await write).IsSuccess);
            Assert.Equal(source, received);

            var destination = new byte[length];
            var read = Task.Run(() => server.Device.Dma.Read(Base, destination));
            var done = 0;
            foreach (var count in new[] { chunk, chunk, 1 })
            {
                var request = ReceiveRequest(client.Socket, 11, Base + (ulong)done, (ulong)count);
                Answer(client, request, Base, (ulong)count, source[done..(done + count)]);
                done += count;
            }

            Assert.True((await read).IsSuccess);
            Assert.Equal(source, destination);
        }
    }

    [Fact]
    public async Task Many_threads_wait_at_once_and_each_gets_its_own_reply_in_whatever_order()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            var reads = Enumerable.Range(0, 8).Select(i => OnThread(() =>
            {
                var bytes = new byte[8];
                return (server.Device.Dma.Read(Base + (ulong)(i * 8), bytes), BitConverter.ToUInt64(bytes), Base + (ulong)(i * 8));
            })).ToArray();
            var requests = Enumerable.Range(0, 8).Select(_ => client.Receive()).Reverse().ToList();
            Assert.Equal(8, requests.Select(request => request.Id).Distinct().Count());
            foreach (var request in requests)
            {
                client.Send(10, Fields.Of(0ul, 0u, 1u, (byte)1), 0x10);
                Answer(client, request, request.Payload, request.Payload[..8]);
            }

            foreach (var (result, value, address) in await Task.WhenAll(reads))
            {
                Assert.True(result.IsSuccess);
                Assert.Equal(address, value);
            }
        }
    }

    [Fact]
    public async Task A_transfer_inside_an_access_leaves_the_clients_commands_for_later_in_their_order()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            server.Device.OnWrite = (_, offset, _) =>
            {
                if (offset != 0x800)
                    return null;
                var bytes = new byte[4];
                var result = server.Device.Dma.Read(Base, bytes);
                bytes.CopyTo(server.Device.Bar0, 0);
                return result.IsSuccess ? 4 : result.Error;
            };
            var doorbell = client.Send(10, Fields.Of(0x800ul, 0u, 4u, 1u));
            var request = ReceiveRequest(client.Socket, 11, Base, 4);
            using var memory = TestFiles.SealedMemory(0x1000);
            var first = client.Send(9, Fields.Of(0ul, 0u, 4u));
            var second = client.Send(2, TestClient.Map(0, 0x1000), 0, memory);
            client.Send(10, Fields.Of(4ul, 0u, 4u, 0x55u), 0x10);
            var third = client.Send(9, Fields.Of(4ul, 0u, 4u));
            Answer(client, request, Base, 4ul, 0xabcdu);

            var replies = Enumerable.Range(0, 4).Select(_ => client.Receive()).ToArray();
            Assert.Equal([doorbell, first, second, third], replies.Select(reply => reply.Id));
            Assert.All(replies, reply => Assert.Equal(1u, reply.Flags));
            Assert.Equal(Fields.Of(0xabcdu), replies[1].Payload[16..]);
            Assert.Equal(Fields.Of(0x55u), replies[3].Payload[16..]);
            Assert.True(server.Device.Dma.TryAcquire(0, 0x1000, DmaAccess.Read, out var segment));
            segment.Dispose();
        }
    }

    [Fact]
    public async Task A_devices_thread_gets_its_reply_while_the_connections_thread_waits_for_that_very_thread()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            var deviceLock = new object();
            using var holds = new ManualResetEventSlim();
            using var go = new ManualResetEventSlim();
            server.Device.OnWrite = (_, _, data) =>
            {
                go.Set();
                lock (deviceLock)
                    return data.Length;
            };
            var read = Task.Run(() =>
            {
                lock (deviceLock)
                {
                    holds.Set();
                    go.Wait(TestContext.Current.CancellationToken);
                    return server.Device.Dma.Read(Base, new byte[4]);
                }
            });
            holds.Wait(TestContext.Current.CancellationToken);
            client.Send(10, Fields.Of(0ul, 0u, 4u, 1u));
            Answer(client, ReceiveRequest(client.Socket, 11, Base, 4), Base, 4ul, 7u);
            Assert.True((await read).IsSuccess);
            Assert.Equal(0, client.Receive().Error);
        }
    }

    public static TheoryData<byte[], uint, Errno> BadReplies => new()
    {
        { Fields.Of(Base, 4ul, (ushort)1), 1, Errno.EPROTO },
        { Fields.Of(Base, 4ul, 1ul), 1, Errno.EPROTO },
        { Fields.Of(Base, 3ul, 1u), 1, Errno.EPROTO },
        { Fields.Of(Base), 1, Errno.EPROTO },
        { Array.Empty<byte>(), 1, Errno.EPROTO },
        { Array.Empty<byte>(), 0x21, Errno.ENODEV },
    };

    [Theory]
    [MemberData(nameof(BadReplies))]
    public async Task A_bad_reply_fails_its_transfer_and_nothing_else(byte[] payload, uint flags, Errno expected)
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            var read = Task.Run(() => server.Device.Dma.Read(Base, new byte[4]));
            var request = client.Receive();
            using var surplus = TestFiles.EventFd();
            client.Socket.Send(RawMessage.Build(request.Id, 11, payload, flags, (uint)Errno.ENODEV), surplus);
            Assert.Equal(expected, (await read).Error);
            Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        }
    }

    [Fact]
    public async Task A_reply_that_nobody_asked_for_is_refused_and_the_right_one_still_counts()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            var read = Task.Run(() => server.Device.Dma.Read(Base, new byte[4]));
            var request = client.Receive();
            var wrong = (ushort)(request.Id + 100);
            client.Socket.Send(RawMessage.Build(wrong, 11, Fields.Of(Base, 4ul, 1u), 1));
            var refused = client.Receive();
            Assert.Equal((wrong, 0x21u, Errno.EINVAL), (refused.Id, refused.Flags, (Errno)refused.Error));
            Answer(client, request, Base, 4ul, 1u);
            Assert.True((await read).IsSuccess);
        }
    }

    [Fact]
    public async Task A_twin_socket_carries_the_servers_requests()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = TestClient.Connect(server.Path);
        var reply = client.Negotiate("{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}");
        Assert.Contains("twin_socket", Encoding.UTF8.GetString(reply.Payload), StringComparison.Ordinal);
        using var twin = new RawSocket(new SafeFileHandle(reply.Descriptors[0], true));
        client.Succeed(2, TestClient.Map(Base, 0x100000));

        // From a thread of the device, and from within an access, with commands on the main socket meanwhile.
        var bytes = new byte[4];
        var read = Task.Run(() => server.Device.Dma.Read(Base, bytes));
        var request = ReceiveRequest(twin, 11, Base, 4);
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        twin.Send(RawMessage.Build(3, 9, Fields.Of(0ul, 0u, 4u)));
        var refused = twin.ReceiveMessage()!;
        Assert.Equal((3, 0x21u, Errno.EINVAL), (refused.Id, refused.Flags, (Errno)refused.Error));
        twin.Send(RawMessage.Build(request.Id, 11, Fields.Of(Base, 4ul, 0x11u), 1));
        Assert.True((await read).IsSuccess);
        Assert.Equal(Fields.Of(0x11u), bytes);

        server.Device.OnRead = (_, _, _) => server.Device.Dma.Read(Base, bytes) is { IsSuccess: false } failed ? failed.Error : 4;
        var id = client.Send(9, Fields.Of(0ul, 0u, 4u));
        request = ReceiveRequest(twin, 11, Base, 4);
        twin.Send(RawMessage.Build(request.Id, 11, Fields.Of(Base, 4ul, 0x22u), 1));
        Assert.Equal((id, 1u), (client.Receive() is var answer ? answer.Id : 0, answer.Flags));
        Assert.Equal(Fields.Of(0x22u), bytes);

        // A twin that is gone fails transfers, and nothing else.
        server.Device.OnRead = null;
        twin.Dispose();
        Assert.Equal(Errno.ENOTCONN, server.Device.Dma.Read(Base, bytes).Error);
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task Access_bits_of_a_map_without_a_descriptor_count()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            client.Succeed(2, TestClient.Map(0xfffc0000, 0x40000, flags: 1));
            Assert.Equal(Errno.EFAULT, server.Device.Dma.Write(0xfffc0000, new byte[1]).Error);
            Assert.False(server.Device.Dma.TryAcquire(0xfffc0000, 1, DmaAccess.Read, out _));
        }
    }
}
