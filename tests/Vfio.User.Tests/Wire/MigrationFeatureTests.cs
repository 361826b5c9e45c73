using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class MigrationFeatureTests
{
    private const uint Get = 1 << 16, Set = 1 << 17, Probe = 1 << 18;

    [Fact]
    public async Task Capabilities_are_told_to_who_has_room_and_cannot_be_set()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        Assert.Equal(Fields.Of(16u, 1u | Get, 5ul), client.Succeed(16, Fields.Of(16u, 1u | Get)));
        Assert.Equal(Fields.Of(16u, 1u | Get, 5ul), client.Succeed(16, Fields.Of(64u, 1u | Get, 0ul)));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(15u, 1u | Get));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(8u, 1u | Get));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 1u | Set, 0ul));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 1u, 0ul));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 1u | Get).AsSpan(0, 7));
    }

    [Theory]
    [InlineData(1u, Get)]
    [InlineData(2u, Get | Set)]
    [InlineData(6u, Set)]
    [InlineData(7u, Set)]
    [InlineData(8u, Get)]
    [InlineData(9u, Get)]
    [InlineData(12u, Set)]
    public async Task A_probe_gets_its_own_bytes_back_for_what_the_feature_can(uint id, uint supported)
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        foreach (var operation in new uint[] { 0, Get, Set, Get | Set })
        {
            var probe = Fields.Of(8u, id | Probe | operation);
            if ((operation & ~supported) == 0)
                Assert.Equal(probe, client.Succeed(16, probe));
            else
                client.Refuse(Errno.EINVAL, 16, probe);
        }

        client.Refuse(Errno.EINVAL, 16, Fields.Of(2u, id | Probe));
    }

    [Fact]
    public async Task A_state_is_set_and_asked_for_and_the_setting_answered_with_its_own_bytes()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        Assert.Equal(Fields.Of(16u, 2u | Get, 2u, -1), client.Succeed(16, Fields.Of(16u, 2u | Get)));
        var stop = Fields.Of(16u, 2u | Set, 1u, 0x77);
        Assert.Equal(stop, client.Succeed(16, stop));
        Assert.Equal(Fields.Of(16u, 2u | Get, 1u, -1), client.Succeed(16, Fields.Of(16u, 2u | Get, 9u, 9u)));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(8u, 2u | Set, 2u, -1));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 2u | Set, 2u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(15u, 2u | Get, 2u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 2u | Set, 8u, -1));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 2u | Set, 0xabcdu, -1));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 2u | Set, 0xffffffffu, -1));
        Assert.Equal(MigrationState.Stop, server.Migration.State);
    }

    [Fact]
    public async Task An_errno_of_the_device_travels_whatever_it_is()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.OnSet = (_, _) => new((Errno)0xbeef);
        using var client = server.Connect();
        client.Refuse((Errno)0xbeef, 16, Fields.Of(16u, 2u | Set, 1u, -1));
    }

    [Fact]
    [Trait("Trap", "44")]
    public async Task The_size_of_the_data_is_told_in_every_state()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        foreach (var state in new uint[] { 1, 2, 3, 4, 6 })
        {
            client.SetState(state);
            Assert.Equal(Fields.Of(16u, 9u | Get, 0x1234567890ul), client.Succeed(16, Fields.Of(16u, 9u | Get)));
        }

        client.Refuse(Errno.EINVAL, 16, Fields.Of(15u, 9u | Get));
    }

    [Fact]
    public async Task Precopy_information_of_the_second_version_is_asked_for_only_where_there_is_PRE_COPY()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        var enable = Fields.Of(8u, 12u | Set);
        Assert.Equal(enable, client.Succeed(16, enable));
        Assert.True(server.Migration.HasInfoV2);
        client.Refuse(Errno.EINVAL, 16, Fields.Of(8u, 12u | Get));

        // Before any other check, as the kernel has it.
        server.Migration.Capabilities = MigrationCapabilities.StopCopy;
        client.Refuse(Errno.EINVAL, 16, enable);
        client.Refuse(Errno.EINVAL, 16, Fields.Of(8u, 12u | Probe | Set));
    }

    [Fact]
    public async Task A_client_is_told_the_page_size_of_bitmaps_if_it_speaks_of_migration_and_the_device_migrates()
    {
        await using var server = await MigratingServer.StartAsync();
        using (var client = TestClient.Connect(server.Path))
        {
            var reply = client.Negotiate();
            Assert.True(reply.Size <= 214, $"QEMU receives 214 bytes, not {reply.Size}");
            Assert.Equal(
                "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,\"max_dma_maps\":65535,\"pgsizes\":4096,"
                + "\"migration\":{\"pgsize\":4096,\"max_bitmap_size\":1048536},\"write_multiple\":true}}\0",
                System.Text.Encoding.UTF8.GetString(reply.Payload[4..]));
        }

        using (var client = TestClient.Connect(server.Path))
            Assert.DoesNotContain("migration", System.Text.Encoding.UTF8.GetString(client.Negotiate("{}").Payload[4..]));
        using (var client = TestClient.Connect(server.Path))
        {
            var reply = client.Negotiate(
                "{\"capabilities\":{\"migration\":{\"pgsize\":65536,\"max_bitmap_size\":4294967296},\"write_multiple\":true,"
                + "\"twin_socket\":{\"supported\":true}}}");
            foreach (var descriptor in reply.Descriptors)
                new Microsoft.Win32.SafeHandles.SafeFileHandle(descriptor, true).Dispose();
            Assert.True(reply.Size <= 214, $"{reply.Size}");
            var text = System.Text.Encoding.UTF8.GetString(reply.Payload[4..]);
            Assert.Contains("\"migration\":{\"pgsize\":4096}", text);
            Assert.DoesNotContain("pgsizes", text);
            Assert.Contains("\"twin_socket\":{\"supported\":true,\"fd_index\":0}", text);
        }

        server.Inner.Device.FakeMigration = null;
        server.Inner.Device.FakeLog = null;
        using (var client = TestClient.Connect(server.Path))
            Assert.DoesNotContain("migration", System.Text.Encoding.UTF8.GetString(client.Negotiate().Payload[4..]));
    }
}
