using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Robustness;

/// <summary>Valid sessions with faults: whatever comes, the server goes on serving, and nothing is left of it.</summary>
[Collection(ProcessWide.Name)]
public class MutationTests
{
    private const int Sessions = 20_000;
    private static readonly uint[] Interesting =
    [
        0, 1, 2, 15, 16, 17, 31, 32, 33, 0xff, 0xfff, 0x1000,
        0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff,
    ];

    // What a client of each kind sends, one message after the other; the number says what comes along: 1 an eventfd, 2 memory.
    private static readonly (byte[] Message, int Descriptor)[] Valid =
    [
        (RawMessage.Build(0, 1, TestClient.VersionPayload(0, 0, TestClient.QemuCapabilities)), 0),
        (RawMessage.Build(1, 2, TestClient.Map(0, 0x2000)), 2),
        (RawMessage.Build(2, 2, TestClient.Map(0xfffc0000, 0x40000, 1)), 0),
        (RawMessage.Build(3, 4, Fields.Of(16u, 0u, 0u, 0u)), 0),
        (RawMessage.Build(4, 5, Fields.Of(32u, 0u, 1u, 0u, 0ul, 0ul, 0ul, 0ul)), 0),
        (RawMessage.Build(5, 5, Fields.Of(80u, 0u, 1u, 0u, 0ul, 0ul)), 0),
        (RawMessage.Build(6, 6, Fields.Of(400u, 0u, 2u, 0u)), 0),
        (RawMessage.Build(7, 7, Fields.Of(16u, 0u, 2u, 0u)), 0),
        (RawMessage.Build(8, 9, Fields.Of(0ul, 7u, 256u)), 0),
        (RawMessage.Build(9, 8, Fields.Of(20u, 0x24u, 2u, 0u, 1u)), 1),
        (RawMessage.Build(10, 8, Fields.Of(24u, 0x24u, 2u, 4u, 1u, 0)), 1),
        (RawMessage.Build(11, 8, Fields.Of(22u, 0x22u, 2u, 0u, 2u, (ushort)1)), 0),
        (RawMessage.Build(12, 10, Fields.Of(4ul, 7u, 2u, (ushort)7)), 0),
        (RawMessage.Build(13, 10, Fields.Of(0ul, 0u, 8u, 1ul), 0x10), 0),
        (RawMessage.Build(14, 15, Fields.Of(2ul, 0ul, 0u, 8u, 1ul, 8ul, 0u, 4u, 1ul), 0x10), 0),
        (RawMessage.Build(15, 16, Fields.Of(16u, 0x10001u, 0ul)), 0),
        (RawMessage.Build(16, 11, Fields.Of(0ul, 4ul, 0u), 1), 0),
        (RawMessage.Build(17, 17, Fields.Of(12u, 4u)), 0),
        (RawMessage.Build(18, 16, Fields.Of(40u, 0x20006u, 4096ul, 1u, 0u, 0ul, 0x100000000ul)), 0),
        (RawMessage.Build(19, 16, Fields.Of(16u, 0x20002u, 6u, -1)), 0),
        (RawMessage.Build(20, 17, Fields.Of(12u, 4u)), 0),
        (RawMessage.Build(21, 16, Fields.Of(8u, 0x2000cu)), 0),
        (RawMessage.Build(22, 19, Fields.Of(24u, 0u, 0ul, 0ul)), 0),
        (RawMessage.Build(23, 16, Fields.Of(48u, 0x10008u, 0ul, 65ul * 4096, 4096ul)), 0),
        (RawMessage.Build(24, 16, Fields.Of(16u, 0x20002u, 3u, -1)), 0),
        (RawMessage.Build(25, 17, Fields.Of(108u, 100u)), 0),
        (RawMessage.Build(26, 16, Fields.Of(16u, 0x10009u, 0ul)), 0),
        (RawMessage.Build(27, 16, Fields.Of(16u, 0x20002u, 4u, -1)), 0),
        (RawMessage.Build(28, 18, Fields.Of(12u, 4u, 0x01020304u)), 0),
        (RawMessage.Build(29, 16, Fields.Of(16u, 0x20002u, 1u, -1)), 0),
        (RawMessage.Build(30, 3, Fields.Of(48u, 1u, 0ul, 0x2000ul, 4096ul, 8ul)), 0),
        (RawMessage.Build(31, 16, Fields.Of(8u, 0x20007u)), 0),
        (RawMessage.Build(32, 13, []), 0),
        (RawMessage.Build(33, 3, TestClient.Unmap(0, 0x2000)), 0),
        (RawMessage.Build(34, 3, TestClient.Unmap(0, 0, 2)), 0),
    ];

    [Fact]
    public async Task Mutated_sessions_leave_a_server_that_serves()
    {
        await using var server = await RunningServer.StartAsync(new VfioUserServerOptions { NegotiationTimeout = TimeSpan.FromSeconds(2) });

        var migration = server.Device.FakeMigration = new FakeMigration { Initial = new byte[10], Last = new byte[50] };
        server.Device.FakeLog = new FakeDmaLog();
        server.Device.OnReset = _ =>
        {
            migration.Reset();
            return new(VfioResult.Success);
        };

        // A doorbell that makes the device read the client's memory, by message where nothing else is mapped.
        server.Device.OnWrite = (region, offset, _) =>
        {
            if (region == 0 && offset % 64 == 8)
                server.Device.Dma.Read(0xfffc0000, new byte[16]);
            return null;
        };
        using var eventFd = TestFiles.EventFd();
        using var memory = TestFiles.SealedMemory(0x2000);
        server.AssertServesNext();
        var before = TestFiles.OpenDescriptors();
        for (var seed = 0; seed < Sessions; seed++)
        {
            Send(server, new Random(seed), eventFd, memory);
            if (seed % 100 == 99)
                server.AssertServesNext();
        }

        await server.StopAsync();
        Assert.True(TestFiles.OpenDescriptors() <= before, $"{TestFiles.OpenDescriptors()} descriptors are open, {before} were");
        Assert.Equal(0, migration.Streams.Alive);
        Assert.True(migration.Streams.Begun > Sessions / 10, $"{migration.Streams.Begun} data streams were begun");
        Assert.DoesNotContain(server.Log.Entries, entry => entry.Level >= LogLevel.Error);
        Assert.True(server.Device.Events.Count(one => one == "open") > Sessions / 2, "most sessions got as far as the device");
    }

    private static void Send(RunningServer server, Random random, SafeFileHandle eventFd, SafeFileHandle memory)
    {
        using var socket = RawSocket.Connect(server.Path);
        foreach (var (valid, descriptor) in Valid)
        {
            // The first message mostly stays whole, for the rest to be heard.
            var isMutated = random.Next(valid == Valid[0].Message ? 20 : 4) == 0;
            var message = isMutated ? Mutate(valid, random) : valid;
            var kind = isMutated && random.Next(3) == 0 ? random.Next(3) : descriptor;
            SafeFileHandle[] descriptors = kind switch { 1 => [eventFd], 2 => [memory], _ => [] };
            if (isMutated && random.Next(10) == 0)
                descriptors = [.. descriptors, eventFd, memory, eventFd];
            var times = isMutated && random.Next(8) == 0 ? 3 : 1;
            for (var i = 0; i < times && message.Length != 0; i++)
            {
                var cut = random.Next(6) == 0 ? random.Next(message.Length) : 0;
                if ((cut != 0 && !socket.Send(message.AsSpan(0, cut), descriptors))
                    || !socket.Send(message.AsSpan(cut), cut == 0 ? descriptors : []))
                {
                    return;
                }

            }
        }

        // Some wait for an answer before they go, half for all of them: what a client that is gone had sent is not all carried out, and how
        // much of it is, the machine decides.
        switch (random.Next(8))
        {
            case 0:
                socket.WaitReadable(100);
                break;
            case < 5:
                socket.Finish();
                break;
        }
    }

    private static byte[] Mutate(byte[] valid, Random random)
    {
        var message = (byte[])valid.Clone();
        for (var i = random.Next(1, 4); i > 0; i--)
        {
            switch (random.Next(6))
            {
                case 0:
                    message[random.Next(message.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    message[random.Next(message.Length)] = (byte)random.Next(256);
                    break;
                case 2 or 3:
                    var at = random.Next(message.Length / 4) * 4;
                    BitConverter.TryWriteBytes(message.AsSpan(at), Interesting[random.Next(Interesting.Length)]);
                    break;
                case 4:
                    // Another length, well framed.
                    Array.Resize(ref message, random.Next(16, message.Length + 40));
                    BitConverter.TryWriteBytes(message.AsSpan(4), message.Length);
                    break;
                default:
                    // Another command with this body.
                    BitConverter.TryWriteBytes(message.AsSpan(2), (ushort)random.Next(21));
                    break;
            }
        }

        return message;
    }
}
