using Vfio.User.Tests.Peers;
using static Vfio.User.Tests.Dma.MessageTransfers;

namespace Vfio.User.Tests.Dma;

/// <summary>Transfers whose reply does not come: nothing waits for it for ever.</summary>
public class TransferEndTests
{
    [Fact]
    public async Task Cancelling_ends_what_waits_and_a_late_reply_is_dropped()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            var read = Task.Run(() => server.Device.Dma.Read(Base, new byte[4]));
            var request = client.Receive();
            server.Device.Dma.CancelTransfers();
            Assert.Equal(Errno.ECANCELED, (await read).Error);
            Answer(client, request, Base, 4ul, 1u);
            Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);

            // Cancelling is for those that wait, not for those that come later.
            var again = Task.Run(() => server.Device.Dma.Read(Base, new byte[4]));
            request = client.Receive();
            Answer(client, request, Base, 4ul, 1u);
            Assert.True((await again).IsSuccess);
        }
    }

    [Fact]
    public async Task A_reset_does_not_wait_for_a_client_that_never_answers()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            var read = Task.Run(() => server.Device.Dma.Read(Base, new byte[4]));
            client.Receive();
            server.Device.OnReset = async _ =>
            {
                await read;

                // The client waits for this reset: it is not asked.
                return server.Device.Dma.Read(Base, new byte[4]).Error == Errno.ECANCELED ? VfioResult.Success : Errno.EIO;
            };
            Assert.Empty(client.Succeed(13, []));
            Assert.Equal(Errno.ECANCELED, (await read).Error);
        }
    }

    [Fact]
    public async Task A_reset_that_comes_while_an_access_waits_for_the_client_ends_the_wait()
    {
        var (server, client) = await StartAsync(Timeout.InfiniteTimeSpan);
        await using (server)
        using (client)
        {
            server.Device.OnRead = (_, _, _) => server.Device.Dma.Read(Base, new byte[4]).Error;
            client.Send(9, Fields.Of(0ul, 0u, 4u));
            client.Receive();
            client.Send(13, []);
            Assert.Equal(Errno.ECANCELED, (Errno)client.Receive().Error);
            Assert.Equal((13, 1u), (client.Receive() is var reply ? reply.Command : 0, reply.Flags));
        }
    }

    [Theory]
    [InlineData(13)]
    [InlineData(3)]
    public async Task What_waits_behind_a_reset_or_an_unmap_is_not_asked_of_the_client_before_it_is_carried_out(ushort command)
    {
        var (server, client) = await StartAsync(Timeout.InfiniteTimeSpan);
        await using (server)
        using (client)
        {
            // The access waits for a thread of the device, which goes on with its next transfer when one is cancelled.
            server.Device.OnRead = (_, _, _) => OnThread(() =>
            {
                var first = server.Device.Dma.Read(Base, new byte[4]).Error;
                return first == Errno.ECANCELED ? server.Device.Dma.Read(Base, new byte[4]).Error : Errno.EIO;
            }).GetAwaiter().GetResult();
            client.Send(9, Fields.Of(0ul, 0u, 4u));
            client.Receive();
            client.Send(command, command == 3 ? TestClient.Unmap(Base, 0x100000) : []);
            var access = client.Receive();
            Assert.Equal((9, 0x21u, Errno.ECANCELED), (access.Command, access.Flags, (Errno)access.Error));
            Assert.Equal((command, 1u), (client.Receive() is var reply ? reply.Command : (ushort)0, reply.Flags));
        }
    }

    [Fact]
    public async Task Commands_that_come_in_place_of_a_reply_cannot_hoard_descriptors()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            using var one = TestFiles.EventFd();
            var many = Enumerable.Repeat(one, 253).ToArray();
            server.Device.OnRead = (_, _, _) => server.Device.Dma.Read(Base, new byte[4]).Error;
            client.Send(9, Fields.Of(0ul, 0u, 4u));
            client.Receive();
            for (var i = 0; i < 16; i++)
                client.Send(4, Fields.Of(16u, 0u, 0u, 0u), 0, many);
            Assert.Equal(Errno.ENOBUFS, (Errno)client.Receive().Error);
            for (var i = 0; i < 16; i++)
                Assert.Equal((4, 1u), (client.Receive() is var reply ? reply.Command : 0, reply.Flags));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_unmap_ends_the_wait_for_its_range(bool insideAnAccess)
    {
        var (server, client) = await StartAsync(Timeout.InfiniteTimeSpan);
        await using (server)
        using (client)
        {
            var read = Task.CompletedTask;
            if (insideAnAccess)
            {
                server.Device.OnRead = (_, _, _) => server.Device.Dma.Read(Base, new byte[4]).Error;
                client.Send(9, Fields.Of(0ul, 0u, 4u));
            }
            else
            {
                read = Task.Run(() => AssertCancelled(server), TestContext.Current.CancellationToken);
            }

            Assert.Equal(11, client.Receive().Command);
            client.Send(3, TestClient.Unmap(Base, 0x100000));
            if (insideAnAccess)
                Assert.Equal(Errno.ECANCELED, (Errno)client.Receive().Error);
            Assert.Equal((3, 1u), (client.Receive() is var reply ? reply.Command : 0, reply.Flags));
            await read;
            Assert.Equal(Errno.EFAULT, server.Device.Dma.Read(Base, new byte[4]).Error);
        }
    }

    [Fact]
    public async Task A_transfer_inside_an_access_gives_up_in_time()
    {
        var (server, client) = await StartAsync(TimeSpan.FromMilliseconds(50));
        await using (server)
        using (client)
        {
            server.Device.OnRead = (_, _, _) => server.Device.Dma.Read(Base, new byte[4]).Error;
            client.Send(9, Fields.Of(0ul, 0u, 4u));
            var request = client.Receive();
            Assert.Equal(Errno.ETIMEDOUT, (Errno)client.Receive().Error);
            Answer(client, request, Base, 4ul, 1u);
            server.Device.OnRead = null;
            Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        }
    }

    [Fact]
    public async Task A_client_that_sends_commands_in_place_of_its_reply_without_end_is_bounded()
    {
        var (server, client) = await StartAsync(Timeout.InfiniteTimeSpan);
        await using (server)
        using (client)
        {
            server.Device.OnRead = (_, _, _) => server.Device.Dma.Read(Base, new byte[4]).Error;
            var id = client.Send(9, Fields.Of(0ul, 0u, 4u));
            client.Receive();
            for (var i = 0; i < 5000; i++)
                client.Send(10, Fields.Of(0ul, 0u, 1u, (byte)i), 0x10);
            var reply = client.Receive();
            Assert.Equal((id, Errno.ENOBUFS), (reply.Id, (Errno)reply.Error));
            server.Device.OnRead = null;
            Assert.Equal([unchecked((byte)4999)], client.ReadRegion(0, 0, 1));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_vanishes_ends_what_waits_for_it(bool insideAnAccess)
    {
        var (server, client) = await StartAsync(Timeout.InfiniteTimeSpan);
        await using (server)
        {
            var result = new TaskCompletionSource<Errno>(TaskCreationOptions.RunContinuationsAsynchronously);
            if (insideAnAccess)
            {
                server.Device.OnRead = (_, _, _) =>
                {
                    var error = server.Device.Dma.Read(Base, new byte[4]).Error;
                    result.SetResult(error);
                    return error;
                };
                client.Send(9, Fields.Of(0ul, 0u, 4u));
            }
            else
            {
                _ = Task.Run(
                    () => result.SetResult(server.Device.Dma.Read(Base, new byte[4]).Error), TestContext.Current.CancellationToken);
            }

            Assert.Equal(11, client.Receive().Command);
            client.Dispose();
            Assert.Equal(Errno.ENOTCONN, await result.Task);
            server.Device.OnRead = null;
            server.AssertServesNext();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stopping_the_server_ends_what_waits_for_a_client(bool insideAnAccess)
    {
        var (server, client) = await StartAsync(Timeout.InfiniteTimeSpan);
        await using (server)
        using (client)
        {
            var read = Task.FromResult(Errno.ENOTCONN);
            if (insideAnAccess)
            {
                server.Device.OnRead = (_, _, _) => server.Device.Dma.Read(Base, new byte[4]).Error;
                client.Send(9, Fields.Of(0ul, 0u, 4u));
            }
            else
            {
                read = Task.Run(() => server.Device.Dma.Read(Base, new byte[4]).Error);
            }

            Assert.Equal(11, client.Receive().Command);
            await server.StopAsync();
            Assert.Equal(Errno.ENOTCONN, await read);
            Assert.Equal("close Close", server.Device.Events[^1]);
        }
    }

    [Fact]
    public async Task Stopping_ends_a_transfer_that_the_client_has_no_room_for()
    {
        var (server, client) = await StartAsync();
        await using (server)
        using (client)
        {
            // The client reads nothing: the socket fills, and the writers wait for room.
            var writes = Enumerable.Range(0, 16)
                .Select(_ => OnThread(() => server.Device.Dma.Write(Base, new byte[65536]).Error)).ToArray();
            Assert.True(client.Socket.WaitReadable(20_000));
            server.Device.Dma.CancelTransfers();
            await server.StopAsync();
            var errors = await Task.WhenAll(writes);
            Assert.Contains(Errno.ECANCELED, errors);

            // Those that came only after the end find nothing mapped.
            Assert.All(errors, error => Assert.True(error is Errno.ECANCELED or Errno.ENOTCONN or Errno.EFAULT));
        }
    }

    [Fact]
    public async Task A_device_may_cancel_and_transfer_long_after_its_client()
    {
        var (server, client) = await StartAsync();
        await using (server)
        {
            var dma = server.Device.Dma;
            client.Dispose();
            server.AssertServesNext();
            dma.CancelTransfers();
            Assert.Equal(Errno.EFAULT, dma.Read(Base, new byte[4]).Error);
        }
    }

    private static void AssertCancelled(RunningServer server)
        => Assert.Equal(Errno.ECANCELED, server.Device.Dma.Read(Base, new byte[4]).Error);
}
