using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Robustness;

/// <summary>The stream: however it is cut, and where it breaks.</summary>
public class FramingTests
{
    private static readonly byte[] ReadBar0 = Fields.Of(0ul, 0u, 4u);

    [Fact]
    public async Task A_message_may_come_byte_by_byte()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        foreach (var message in new[] { RawMessage.Build(7, 9, ReadBar0), RawMessage.Build(7, 10, Fields.Of(0ul, 0u, 40u, new byte[40])) })
        {
            foreach (var one in message)
                client.Socket.Send([one]);
            Assert.Equal((7, 1u), (client.Receive() is var reply ? reply.Id : 0, reply.Flags));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(39)]
    [InlineData(40)]
    [InlineData(41)]
    [InlineData(47)]
    [InlineData(63)]
    [InlineData(1000)]
    public async Task Messages_may_be_cut_and_joined_anywhere(int piece)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var stream = new List<byte>();
        for (ushort i = 0; i < 50; i++)
        {
            stream.AddRange((i % 4) switch
            {
                0 => RawMessage.Build(i, 9, ReadBar0),
                1 => RawMessage.Build(i, 10, Fields.Of(0ul, 0u, 8u, (ulong)i)),
                2 => RawMessage.Build(i, 13, []),
                _ => RawMessage.Build(i, 10, Fields.Of(8ul, 0u, 100u, Enumerable.Repeat((byte)i, 100).ToArray())),
            });
        }

        foreach (var chunk in stream.Chunk(piece))
            client.Socket.Send(chunk);
        for (ushort i = 0; i < 50; i++)
            Assert.Equal((i, 1u), (client.Receive() is var reply ? reply.Id : (ushort)0, reply.Flags));
        Assert.Equal(Fields.Of(49ul, Enumerable.Repeat((byte)47, 100).ToArray()), client.ReadRegion(0, 0, 108));
    }

    [Fact]
    public async Task Descriptors_belong_to_the_message_that_they_came_with()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x1000);

        // The device keeps the server busy until all of it lies in the socket, to be received in whatever pieces.
        using var allSent = new ManualResetEventSlim();
        server.Device.OnRead = (_, _, _) =>
        {
            allSent.Wait(TestContext.Current.CancellationToken);
            return null;
        };
        client.Send(9, ReadBar0);

        // Plain messages of 16 and 32 bytes, then one that needs a descriptor, then one that a descriptor would make wrong.
        var count = 1;
        for (var i = 0; i < 36; i++)
        {
            for (var plain = 0; plain < i % 6; plain++, count++)
                client.Send((ushort)(plain % 2 == 0 ? 13 : 9), plain % 2 == 0 ? [] : ReadBar0);
            client.Send(2, TestClient.Map((ulong)i * 0x1000, 0x1000, flags: 7), 0, memory);
            client.Send(8, Fields.Of(20u, 0x21u, 2u, 0u, 0u));
            count += 2;
        }

        allSent.Set();
        for (var i = 0; i < count; i++)
            Assert.Equal(1u, client.Receive().Flags);
    }

    [Theory]
    [InlineData((ushort)13)]
    [InlineData((ushort)999)]
    public async Task Surplus_descriptors_are_closed_before_the_answer_comes(ushort command)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        var (here, there) = RawSocket.Pair();
        using (here)
        {
            var id = client.Send(command, [], 0, there);
            there.Dispose();
            Assert.Equal(id, client.Receive().Id);

            // The server's was the last: the other end has ended by now.
            Assert.True(here.WaitReadable(0));
            Assert.Null(here.ReceiveMessage());
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(16)]
    [InlineData(20)]
    public async Task Descriptors_that_come_with_the_second_half_of_a_message_are_its_own(int cut)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var memory = TestFiles.SealedMemory(0x1000);
        var message = RawMessage.Build(1, 2, TestClient.Map(0x1000, 0x1000, flags: 7));
        client.Socket.Send(message.AsSpan(0, cut));
        Assert.False(client.Socket.WaitReadable(20));
        client.Socket.Send(message.AsSpan(cut), memory);
        Assert.Equal(1u, client.Receive().Flags);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(15u)]
    [InlineData((1u << 20) + 33)]
    [InlineData(uint.MaxValue)]
    public async Task A_size_that_cannot_be_is_refused_and_the_connection_closed(uint size)
    {
        await using var server = await RunningServer.StartAsync();
        using (var client = server.Connect())
        {
            client.Socket.Send(RawMessage.Build(5, 9, ReadBar0, size: size));
            var reply = client.Receive();
            Assert.Equal((5, 9, 0x21u, Errno.EINVAL, 16u), (reply.Id, reply.Command, reply.Flags, (Errno)reply.Error, reply.Size));
            client.AssertClosed();
        }

        server.AssertServesNext();
        Assert.Equal(["open", "close ClientLost", "open"], server.Device.Events.Take(3));
    }

    [Fact]
    public async Task The_largest_message_is_taken()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Refuse(Errno.EINVAL, 999, new byte[(1 << 20) + 16]);
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task A_reply_out_of_nowhere_is_refused_and_the_connection_lives()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Socket.Send(RawMessage.Build(5, 11, ReadBar0, flags: 1));
        var reply = client.Receive();
        Assert.Equal((5, 0x21u, Errno.EINVAL), (reply.Id, reply.Flags, (Errno)reply.Error));
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task A_message_of_an_unknown_type_ends_the_connection()
    {
        await using var server = await RunningServer.StartAsync();
        for (uint type = 2; type < 16; type++)
        {
            using var client = server.Connect();
            client.Socket.Send(RawMessage.Build(5, 9, ReadBar0, flags: type));
            Assert.Equal(Errno.EINVAL, (Errno)client.Receive().Error);
            client.AssertClosed();
        }

        server.AssertServesNext();
    }

    [Fact]
    public async Task Reserved_flags_an_error_field_and_one_id_for_all_are_taken()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        for (var bit = 5; bit < 32; bit++)
        {
            client.Socket.Send(RawMessage.Build(0, 9, ReadBar0, flags: 1u << bit, error: 77));
            Assert.Equal((0, 1u, 0), (client.Receive() is var reply ? reply.Id : 1, reply.Flags, reply.Error));
        }
    }

    [Fact]
    public async Task Commands_that_are_none_are_refused()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        foreach (var command in new ushort[] { 0, 1, 11, 12, 14, 19, 999, 0xffff })
        {
            client.Refuse(Errno.EINVAL, command, Fields.Of(0ul, 4ul));
            client.Refuse(Errno.EINVAL, command, []);
        }
    }

    [Fact]
    public async Task No_reply_means_none_on_every_command()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        for (ushort command = 0; command < 24; command++)
        {
            foreach (var payload in new[] { [], Fields.Of(16u, 0u, 0u, 0u, 0ul, 0ul), new byte[100] })
                client.Send(command, payload, 0x10);
        }

        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(31)]
    public async Task An_end_in_the_middle_of_a_message_is_an_end(int cut)
    {
        await using var server = await RunningServer.StartAsync();
        using (var client = server.Connect())
        {
            using var surplus = TestFiles.EventFd();
            client.Socket.Send(RawMessage.Build(0, 10, Fields.Of(0ul, 0u, 4u, 0xffffffffu)).AsSpan(0, cut), surplus);
        }

        server.AssertServesNext();
        Assert.Equal(0, server.Device.Bar0[0]);
    }

    [Fact]
    public async Task A_client_that_reads_no_replies_stops_the_server_from_reading_and_nothing_is_lost()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        const int Count = 20_000;
        var sending = Task.Run(() =>
        {
            for (var i = 0; i < Count; i++)
                client.Send(9, ReadBar0);
        }, TestContext.Current.CancellationToken);

        // Far more than both socket buffers hold: the sender is blocked, and so is the server.
        Assert.NotEqual(sending, await Task.WhenAny(sending, Task.Delay(200, TestContext.Current.CancellationToken)));
        for (var i = 0; i < Count; i++)
            Assert.Equal((ushort)(i + 1), client.Receive().Id);
        await sending;
    }

    [Fact]
    public async Task Surplus_descriptors_on_any_command_are_closed_and_do_no_harm()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        using var surplus = TestFiles.EventFd();
        SafeFileHandle[] most = [.. Enumerable.Repeat(surplus, 253)];
        Assert.Equal(0, client.Request(9, ReadBar0, most).Error);
        Assert.Equal(0, client.Request(13, [], surplus).Error);
        client.Refuse(Errno.EINVAL, 999, [], most);
        client.Refuse(Errno.EINVAL, 2, TestClient.Map(0, 0x1000), most);
        client.Refuse(Errno.EINVAL, 8, Fields.Of(20u, 0x24u, 2u, 0u, 1u), most);
        Assert.Empty(client.Succeed(8, Fields.Of(20u, 0x24u, 2u, 0u, 253u), most));
    }
}
