using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Serving;

/// <summary>Clients that go in the middle of a migration.</summary>
[Collection(ProcessWide.Name)]
public class LostMigrationTests
{
    private const uint Get = 1 << 16;

    // States to go through, with what is done in the last of them.
    public static TheoryData<uint[], ushort, byte[]> Ends => new()
    {
        { [1], 17, Fields.Of(12u, 4u) },
        { [2], 13, [] },
        { [6], 17, Fields.Of(12u, 4u) },
        { [6, 3], 17, Fields.Of(1u << 16, 65528u) },
        { [3], 17, Fields.Of(12u, 4u) },
        { [4], 18, Fields.Of(12u, 4u, 0u) },
        { [4], 18, Fields.Of(12u, 4u) },
        { [4, 1], 16, Fields.Of(16u, 2u | (1u << 17), 2u, -1) },
        { [5], 17, Fields.Of(12u, 4u) },
        { [7], 17, Fields.Of(12u, 4u) },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task The_next_client_finds_RUNNING_and_no_stream_of_the_one_before(uint[] states, ushort command, byte[] payload)
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Initial = server.Migration.Last = new byte[100_000];
        for (var i = 0; i < 20; i++)
        {
            using (var client = server.Connect())
            {
                foreach (var state in states)
                    client.SetState(state);

                // It goes before it has its answer.
                client.Send(command, payload);
            }

            using var next = server.Connect();
            Assert.Equal(Fields.Of(16u, 2u | Get, 2u, -1), next.Succeed(16, Fields.Of(16u, 2u | Get)));
            next.Refuse(Errno.EINVAL, 17, Fields.Of(12u, 4u));
            Assert.Equal(0, server.Migration.Streams.Alive);
        }
    }

    [Fact]
    public async Task Migrations_and_lost_ones_leave_no_descriptor_and_no_memory()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Last = new byte[256];
        Migrate(server, 50);
        var (descriptors, resident) = (TestFiles.OpenDescriptors(), TestFiles.ResidentBytes());
        Migrate(server, 1000);
        var grown = TestFiles.ResidentBytes() - resident;
        Assert.True(grown < 16 << 20, $"{grown >> 10} KiB more are resident");
        Assert.True(TestFiles.OpenDescriptors() <= descriptors, $"{TestFiles.OpenDescriptors()} descriptors are open, {descriptors} were");
        Assert.Equal(0, server.Migration.Streams.Alive);
    }

    private static void Migrate(MigratingServer server, int times)
    {
        for (var i = 0; i < times; i++)
        {
            using var client = server.Connect();
            client.Succeed(16, Fields.Of(24u, 6u | (1u << 17), 4096ul, 0u, 0u));
            client.Succeed(16, Fields.Of(48u, 8u | Get, 0ul, 4096ul, 4096ul));
            client.SetState(6);
            client.SetState(3);
            client.Succeed(17, Fields.Of((1u << 19) + 8, 1u << 19));
            if (i % 2 == 0)
                continue;
            client.SetState(4);
            client.Succeed(18, Fields.Of((1u << 16) + 8, 1u << 16, new byte[1 << 16]));
            client.SetState(2);
            server.Migration.Written.Clear();
        }
    }
}
