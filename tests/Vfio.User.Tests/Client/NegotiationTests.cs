using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

public class NegotiationTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task All_that_the_client_can_do_is_proposed_in_one_message()
    {
        var (here, there) = RawSocket.Pair();
        using var socket = here;
        var connecting = VfioUserClient.ConnectAsync(VfioUserEndpoint.Descriptor(there), cancellationToken: Cancelled);
        var version = here.ReceiveMessage()!;
        Assert.Equal((1, 0u, 0), (version.Command, version.Flags, version.Descriptors.Length));
        Assert.Equal(
            TestClient.VersionPayload(
                0, 2,
                "{\"capabilities\":{\"max_msg_fds\":253,\"max_data_xfer_size\":1048576,\"max_dma_maps\":65535,\"pgsizes\":4096,"
                + "\"migration\":{\"pgsize\":4096,\"max_bitmap_size\":1048536},\"write_multiple\":true,\"twin_socket\":{\"supported\":true}}}"),
            version.Payload);
        here.Send(RawMessage.Build(version.Id, 1, TestClient.VersionPayload(0, 0, null), 1));
        await (await connecting).DisposeAsync();
    }

    [Theory]
    [InlineData(null, 1, 1 << 20, 32 << 10)]
    [InlineData("{}", 1, 1 << 20, 32 << 10)]
    [InlineData("[]", 1, 1 << 20, 32 << 10)]
    [InlineData("5", 1, 1 << 20, 32 << 10)]
    [InlineData("{\"capabilities\":{}}", 1, 1 << 20, 32 << 10)]
    [InlineData("{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"migration\":{\"pgsize\":4096}}}", 8, 1 << 20, 32 << 10)]
    [InlineData("{\"capabilities\":{\"max_msg_fds\":16,\"max_dma_maps\":65535,\"pgsizes\":4096,\"max_data_xfer_size\":1048576}}", 16, 1 << 20, 1 << 20)]
    [InlineData("{\"capabilities\":{\"max_fds\":32,\"max_data_xfer_size\":8192,\"odd\":[{\"key\":null}]}}", 1, 8192, 8192)]
    [InlineData("{\"capabilities\":{\"max_msg_fds\":1024,\"max_data_xfer_size\":99999999999}}", 253, 1 << 20, 32 << 10)]
    public async Task What_servers_answer_is_understood(string? json, int descriptors, int transfer, int write)
    {
        await using var server = await ConnectAsync(0, 0, json);
        Assert.Equal(
            (descriptors, transfer, write, false),
            (server.Server.MaxMessageDescriptors, server.Server.MaxDataTransfer, server.MaxWrite, server.Server.TwinSocket));
        Assert.Equal(json ?? "", server.Server.Capabilities);
    }

    [Theory]
    [InlineData(1, 0, "{}", Errno.EOPNOTSUPP)]
    [InlineData(0, 3, "{}", Errno.EOPNOTSUPP)]
    [InlineData(0, 0, "{", Errno.EPROTO)]
    [InlineData(0, 0, "{} {}", Errno.EPROTO)]
    [InlineData(0, 0, "{\"capabilities\":\"all\"}", Errno.EPROTO)]
    [InlineData(0, 0, "{\"capabilities\":{\"max_msg_fds\":-1}}", Errno.EPROTO)]
    [InlineData(0, 0, "{\"capabilities\":{\"max_data_xfer_size\":0}}", Errno.EPROTO)]
    [InlineData(0, 0, "{\"capabilities\":{\"migration\":{\"pgsize\":4095}}}", Errno.EPROTO)]
    [InlineData(0, 0, "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}", Errno.EPROTO)]
    [InlineData(0, 0, "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":-1}}}", Errno.EPROTO)]
    public async Task What_cannot_be_is_refused_with_a_reason(ushort major, ushort minor, string json, Errno error)
    {
        var refused = await Assert.ThrowsAsync<VfioException>(() => ConnectAsync(major, minor, json));
        Assert.Equal(error, refused.Error);
        Assert.Contains("the server", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reply_without_its_nul_or_its_version_is_refused()
    {
        foreach (var payload in new byte[][] { [0], [0, 0, 0, 0, (byte)'{', (byte)'}'] })
        {
            var refused = await Assert.ThrowsAsync<VfioException>(() => ConnectAsync(payload));
            Assert.Equal(Errno.EPROTO, refused.Error);
        }
    }

    [Fact]
    public async Task A_server_that_refuses_hangs_up_or_says_nothing_is_named()
    {
        var (here, there) = RawSocket.Pair();
        var connecting = VfioUserClient.ConnectAsync(VfioUserEndpoint.Descriptor(there), cancellationToken: Cancelled);
        var version = here.ReceiveMessage()!;
        here.Send(RawMessage.Build(version.Id, 1, [], 0x21, (uint)Errno.EINVAL));
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<VfioException>(() => connecting)).Error);
        here.Dispose();

        (here, there) = RawSocket.Pair();
        connecting = VfioUserClient.ConnectAsync(VfioUserEndpoint.Descriptor(there), cancellationToken: Cancelled);
        here.Dispose();
        Assert.Equal(Errno.ECONNRESET, (await Assert.ThrowsAsync<VfioException>(() => connecting)).Error);

        (here, there) = RawSocket.Pair();
        var options = new VfioUserClientOptions { ConnectTimeout = TimeSpan.FromMilliseconds(50) };
        connecting = VfioUserClient.ConnectAsync(VfioUserEndpoint.Descriptor(there), null, options, cancellationToken: Cancelled);
        Assert.Equal(Errno.ETIMEDOUT, (await Assert.ThrowsAsync<VfioException>(() => connecting)).Error);
        here.Dispose();
        var nobody = VfioUserClient.ConnectAsync(VfioUserEndpoint.Path("/nobody/listens"), cancellationToken: Cancelled);
        Assert.Equal(Errno.ENOENT, (await Assert.ThrowsAsync<VfioException>(() => nobody)).Error);
    }

    [Fact]
    public async Task A_server_whose_backlog_is_full_is_waited_for_and_not_for_ever()
    {
        await using var server = await RunningServer.StartAsync();
        using var first = server.Connect();
        var waiting = new List<RawSocket>();
        var options = new VfioUserClientOptions { ConnectTimeout = TimeSpan.FromMilliseconds(300) };
        for (var i = 0; i < 17; i++)
            waiting.Add(RawSocket.Connect(server.Path));
        var refused = await Assert.ThrowsAsync<VfioException>(
            () => VfioUserClient.ConnectAsync(VfioUserEndpoint.Path(server.Path), null, options, cancellationToken: Cancelled));
        Assert.Equal(Errno.ETIMEDOUT, refused.Error);
        foreach (var one in waiting)
            one.Dispose();
        first.Dispose();
        await using var client = await VfioUserClient.ConnectAsync(VfioUserEndpoint.Path(server.Path), cancellationToken: Cancelled);
    }

    private static Task<VfioUserClient> ConnectAsync(ushort major, ushort minor, string? json)
        => ConnectAsync(TestClient.VersionPayload(major, minor, json));

    private static async Task<VfioUserClient> ConnectAsync(byte[] payload)
    {
        var (here, there) = RawSocket.Pair();
        using var socket = here;
        var connecting = VfioUserClient.ConnectAsync(VfioUserEndpoint.Descriptor(there), cancellationToken: Cancelled);
        ScriptedServer.AnswerVersion(here, payload);
        return await connecting;
    }
}
