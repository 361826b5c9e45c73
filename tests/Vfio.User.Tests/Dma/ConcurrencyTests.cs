using Vfio.User.Requests;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Dma;

public class ConcurrencyTests
{
    private const ulong Base = 0x100000;

    /// <summary>
    /// Accesses that do DMA themselves, and threads of the device that do it beside them: each byte arrives where it belongs.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Transfers_of_many_threads_and_accesses_share_one_socket(bool alsoInsideAccesses)
    {
        const int Threads = 4, TransfersEach = 1000, Accesses = 2000;
        await using var server = await RunningServer.StartAsync(new VfioUserServerOptions { TransferTimeout = TimeSpan.FromSeconds(60) });
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(Base, 0x100000));
        var dma = server.Device.Dma;
        server.Device.OnRead = (_, offset, _) =>
        {
            if (alsoInsideAccesses && offset % 8 == 0)
                AssertRead(dma, Base + offset);
            return null;
        };

        var threads = Enumerable.Range(0, Threads).Select(number => Task.Factory.StartNew(
            () =>
            {
                for (var i = 0; i < TransfersEach; i++)
                    AssertRead(dma, Base + (ulong)((number * 0x10000) + i));
            },
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();

        var (answered, asked) = (0, 0);
        var expected = Threads * TransfersEach + (alsoInsideAccesses ? Accesses / 2 : 0);
        AskNext();
        for (var replies = 0; replies < Accesses || answered < expected;)
        {
            var message = client.Receive();
            if (message.Flags == 0)
            {
                // The memory of this client holds its own addresses.
                var address = BitConverter.ToUInt64(message.Payload);
                client.Socket.Send(RawMessage.Build(message.Id, 11, Fields.Of(address, 8ul, address), 1));
                answered++;
            }
            else
            {
                Assert.Equal((9, 0), (message.Command, message.Error));
                replies++;
                AskNext();
            }
        }

        await Task.WhenAll(threads);
        Assert.Equal((expected, Accesses), (answered, asked));

        void AskNext()
        {
            if (asked < Accesses)
                client.Send(9, Fields.Of((ulong)(asked++ * 4 % 0x1000), 0u, 4u));
        }
    }

    private static void AssertRead(IDmaSpace dma, ulong address)
    {
        var bytes = new byte[8];
        Assert.True(dma.Read(address, bytes).IsSuccess);
        Assert.Equal(address, BitConverter.ToUInt64(bytes));
    }

    [Fact]
    public async Task Cancelling_without_end_leaves_nothing_behind()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Succeed(2, TestClient.Map(Base, 0x100000));
        var dma = server.Device.Dma;

        // Every reply is late, or never comes.
        const int Rounds = 3000;
        for (var i = 0; i < Rounds; i++)
        {
            var read = Task.Run(() => dma.Read(Base, new byte[8]).Error, TestContext.Current.CancellationToken);
            var request = client.Receive();
            dma.CancelTransfers();
            Assert.Equal(Errno.ECANCELED, await read);
            if (i % 2 == 0)
                client.Socket.Send(RawMessage.Build(request.Id, 11, Fields.Of(Base, 8ul, 0ul), 1));
        }

        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public void An_id_whose_reply_may_still_come_is_not_given_out_again_until_there_is_no_other()
    {
        var pending = new PendingTransfers();
        var waits = pending.Add();
        Assert.Equal(0, waits.Id);
        for (var id = 1; id < 65536; id++)
        {
            var transfer = pending.Add();
            Assert.Equal(id, transfer.Id);
            pending.Remove(transfer, replyExpected: id is not (5 or 7));
        }

        foreach (var free in new[] { 5, 7, 5 })
        {
            var transfer = pending.Add();
            Assert.Equal(free, transfer.Id);
            pending.Remove(transfer, replyExpected: false);
        }

        Assert.False(pending.TakeAbandoned(5));
        Assert.True(pending.TakeAbandoned(6));
        Assert.False(pending.TakeAbandoned(6));
        foreach (var free in new[] { 6, 7, 5 })
        {
            var transfer = pending.Add();
            Assert.Equal(free, transfer.Id);
            pending.Remove(transfer, replyExpected: true);
        }

        // A client that answers nothing at all does not stop the server from asking.
        Assert.NotEqual(waits.Id, pending.Add().Id);
        Assert.Same(waits, pending.Find(0));
    }
}
