using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Client;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Robustness;

/// <summary>Migration and DMA logging by clients that mean no good, in every state, while the device works and is reset.</summary>
[Collection(ProcessWide.Name)]
public class MigrationAttackTests
{
    private const uint Get = 1 << 16, Set = 1 << 17;
    private const ulong Base = 0x100000, Page = 4096;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static readonly ulong[] Sizes =
    [
        0, 1, 7, 8, 15, 16, 23, 24, 32, 40, 41, 48, 255, 256, 257, 4095, 4096, 4097, 0xfffff, 0x100000, 0x100001, 0x7fffffff, 0x80000000,
        0xfffffff0, 0xffffffff, 0x100000000, 1ul << 40, 1ul << 62, 1ul << 63, ulong.MaxValue - 4095, ulong.MaxValue - 40, ulong.MaxValue,
    ];

    [Fact]
    public async Task Hostile_numbers_in_every_state_while_the_device_is_reset_leave_a_server_that_serves()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-attack-");
        using var end = new CancellationTokenSource();
        var log = new TestLog();
        var device = new MovableDevice(
            new byte[300_000], MigrationCapabilities.StopCopy | MigrationCapabilities.P2P | MigrationCapabilities.PreCopy)
        {
            LogsInSpace = true,
        };
        var path = Path.Combine(directory.FullName, "s");
        var server = new VfioUserServer(device, new() { KeepOpen = true }, log);
        var running = server.RunAsync(VfioUserEndpoint.Path(path), end.Token);
        await server.Listening;
        using var resets = new SemaphoreSlim(0);
        var isOver = false;
        var resetting = Task.Run(async () =>
        {
            while (true)
            {
                await resets.WaitAsync(Cancelled);
                if (Volatile.Read(ref isOver))
                    return;
                await device.ResetAsync(ResetCause.HotReset, default);
            }
        }, Cancelled);
        using var eventFd = TestFiles.EventFd();
        using (TestClient.ConnectAndNegotiate(path))
        {
        }

        var before = TestFiles.OpenDescriptors();
        for (var seed = 0; seed < 3000; seed++)
        {
            Attack(path, new Random(seed), eventFd, resets);
            if (seed % 100 == 99)
                using (TestClient.ConnectAndNegotiate(path))
                {
                }
        }

        Volatile.Write(ref isOver, true);
        resets.Release();
        await resetting;
        using (var client = TestClient.ConnectAndNegotiate(path))
            client.SetState(2);
        await end.CancelAsync();
        await running;
        Assert.True(TestFiles.OpenDescriptors() <= before, $"{TestFiles.OpenDescriptors()} descriptors are open, {before} were");
        Assert.DoesNotContain(log.Entries, entry => entry.Level >= LogLevel.Error);
        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_thousand_clients_of_a_kept_device_leave_nothing()
    {
        await using var server = await RunningServer.StartAsync(new() { KeepOpen = true });
        server.Device.LogsInSpace = true;
        var migration = server.Device.FakeMigration = new() { Initial = new byte[100], Last = new byte[1000] };
        using var eventFd = TestFiles.EventFd();
        using var memory = TestFiles.SealedMemory(0x4000);
        object[] ranges = [.. Enumerable.Range(0, 256).SelectMany(i => (object[])[(ulong)i << 41, 1ul << 40])];
        var start = Fields.Of(24u + (256 * 16), 6u | Set, Page, 256u, 0u, Fields.Of(ranges));
        for (var i = 0; i < 200; i++)
            Once(i);
        var before = ProcessCounts.Now();
        for (var i = 0; i < 1000; i++)
            Once(i);
        var after = ProcessCounts.Now();
        Assert.True(after.IsNoMoreThan(before), $"{before} has become {after}");
        Assert.Equal(["open"], server.Device.Events);

        void Once(int number)
        {
            using var client = server.Connect();
            Assert.Empty(server.Device.Triggers);
            Assert.Equal(0, migration.Streams.Alive);
            Assert.Equal(Errno.EFAULT, server.Device.Dma.Read(0, new byte[1]).Error);
            client.Refuse(Errno.EINVAL, 16, Fields.Of(48u, 8u | Get, 0ul, Page, Page));
            client.SetState(1);
            client.Succeed(2, TestClient.Map(0, 0x4000), memory);
            client.Succeed(2, TestClient.Map(0x10000, 0x4000));
            client.Succeed(8, Fields.Of(20u, 0x24u, 2u, 0u, 1u), eventFd);
            client.Succeed(16, start);
            Assert.True(server.Device.Dma.Write((ulong)(number % 4) << 12, [1]).IsSuccess);
            client.SetState(number % 2 == 0 ? 6u : 3u);
            client.Succeed(17, Fields.Of(18u, 10u));
        }
    }

    [Fact]
    public async Task No_write_is_lost_by_a_range_that_is_unmapped_while_the_device_writes()
    {
        const int Pages = 70;
        await using var server = await RunningServer.StartAsync();
        server.Device.LogsInSpace = true;
        server.Device.FakeMigration = new();
        using var client = server.Connect();
        var memory = FileMemory.Create(Base, Pages * (int)Page);
        client.Succeed(16, Fields.Of(40u, 6u | Set, Page, 1u, 0u, Base, Pages * Page));
        using var done = new CancellationTokenSource();
        var dma = server.Device.Dma;
        var writers = Enumerable.Range(0, 3).Select(seed => Task.Run(() => Write(dma, seed, done.Token))).ToArray();
        var copy = new byte[Pages * (int)Page];
        for (var round = 0; round < 1500; round++)
        {
            client.Succeed(2, TestClient.Map(Base, Pages * Page), memory.Backing!.Value.File);
            for (var i = 0; i < round % 3; i++)
                Copy(client.Succeed(16, Fields.Of(48u, 8u | Get, Base, Pages * Page, Page)).AsSpan(32), memory.Span, copy);
            Copy(client.Succeed(3, Fields.Of(56u, 1u, Base, Pages * Page, Page, 16ul)).AsSpan(40), memory.Span, copy);
            Assert.True(memory.Span.SequenceEqual(copy), $"round {round}");
        }

        await done.CancelAsync();
        await Task.WhenAll(writers);
        Assert.Contains(copy, static one => one != 0);
    }

    private static void Attack(string path, Random random, SafeFileHandle eventFd, SemaphoreSlim resets)
    {
        using var socket = RawSocket.Connect(path);
        socket.Send(RawMessage.Build(0, 1, TestClient.VersionPayload(0, 0, TestClient.QemuCapabilities)));
        for (var i = random.Next(1, 30); i > 0; i--)
        {
            var (command, payload) = Random(random);
            if (random.Next(10) == 0)
                resets.Release();
            var message = RawMessage.Build((ushort)i, command, payload, random.Next(8) == 0 ? 0x10u : 0);
            if (!socket.Send(message, random.Next(4) == 0 ? [eventFd, eventFd] : []))
                break;
        }

        if (random.Next(4) == 0)
            socket.WaitReadable(100);
    }

    private static void Write(IDmaSpace dma, int seed, CancellationToken done)
    {
        var random = new Random(seed);
        var bytes = new byte[64];
        while (!done.IsCancellationRequested)
        {
            random.NextBytes(bytes);
            var at = Base + (ulong)random.Next((70 * (int)Page) - 64);
            if (random.Next(2) == 0)
            {
                dma.Write(at, bytes);
            }
            else if (dma.TryAcquire(at, 64, DmaAccess.Write, out var segment))
            {
                bytes.CopyTo(segment.Span);
                segment.Dispose();
            }
        }
    }

    private static void Copy(ReadOnlySpan<byte> bitmap, ReadOnlySpan<byte> memory, Span<byte> copy)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(bitmap);
        for (var page = 0; page < memory.Length / (int)Page; page++)
        {
            if ((words[page / 64] >> (page % 64) & 1) != 0)
                memory.Slice(page * (int)Page, (int)Page).CopyTo(copy[(page * (int)Page)..]);
        }
    }

    private static (ushort Command, byte[] Payload) Random(Random random)
    {
        uint Argsz() => (uint)Size();
        ulong Size() => Sizes[random.Next(Sizes.Length)];
        ulong Address() => random.Next(2) == 0 ? Base : Size();
        uint Flags(uint usual) => random.Next(6) == 0 ? (uint)random.Next() : usual;
        uint Usual(uint usual) => random.Next(3) == 0 ? Argsz() : usual;
        var tail = new byte[random.Next(3) == 0 ? random.Next(5000) : 0];
        return random.Next(12) switch
        {
            0 => (2, Fields.Of(Usual(32), 3u, 0ul, Address() & ~4095ul, Size() & ~4095ul, tail)),
            1 => (3, Fields.Of(Usual(1 << 20), Flags(1), Address(), Size(), Size(), Size(), tail)),
            2 => (3, Fields.Of(Usual(24), Flags(2), 0ul, 0ul, tail)),
            3 => (17, Fields.Of(Argsz(), Argsz(), tail)),
            4 => (17, Fields.Of(5008u, 5000u)),
            5 => (18, Fields.Of(Argsz(), Argsz(), tail)),
            6 => (18, Fields.Of((uint)tail.Length + 8, (uint)tail.Length, tail)),
            7 => (19, Fields.Of(Usual(24), 0u, 0ul, 0ul)),
            8 => (16, Fields.Of(Usual(16), Flags(2u | Set), (uint)random.Next(9), -1)),
            9 => (16, Fields.Of(Usual(16), Flags(2u | Set), (uint)random.Next(9), -1)),
            10 => (16, Fields.Of(Usual(5000), Flags(6u | Set), Size(), random.Next(2) == 0 ? Argsz() : 2u, 0u, Address(), Size(), tail)),
            _ => (16, Fields.Of(Usual(1 << 20), Flags(8u | Get), Address(), Size(), Size(), tail)),
        };
    }
}
