using System.Text;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class VersionTests
{
    [Fact]
    public async Task Qemus_request_of_214_bytes_gets_a_reply_that_fits_its_buffer()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = TestClient.Connect(server.Path);
        var payload = TestClient.VersionPayload(0, 0, TestClient.QemuCapabilities);
        Assert.Equal(214, 16 + payload.Length);

        var reply = client.Request(1, payload);

        Assert.True(reply.Size <= 214);
        const string Json =
            "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,"
            + "\"max_dma_maps\":65535,\"pgsizes\":4096,\"write_multiple\":true}}\0";
        Assert.Equal(Fields.Of((ushort)0, (ushort)0, Encoding.UTF8.GetBytes(Json)), reply.Payload);
        Assert.Equal(1u, reply.Flags);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(9, 2)]
    public async Task The_smaller_minor_counts(ushort proposed, ushort expected)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = TestClient.Connect(server.Path);
        Assert.Equal(expected, BitConverter.ToUInt16(client.Negotiate(minor: proposed).Payload, 2));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("5")]
    [InlineData("{\"capabilities\":{}}")]
    [InlineData("{\"capabilities\":{\"max_fds\":32,\"max_data_xfer_size\":1048576}}")]
    [InlineData("{\"capabilities\":{\"max_msg_fds\":1,\"max_data_xfer_size\":1048576,\"migration\":{\"pgsize\":4096}}}")]
    [InlineData("{\"capabilities\":{\"unknown\":[1,{\"max_msg_fds\":\"x\"}],\"other\":1e308}}")]
    [InlineData("{\"capabilities\":{\"max_msg_fds\":1,\"max_msg_fds\":2}}")]
    public async Task Every_known_client_and_every_unknown_key_is_served_and_gets_a_capabilities_object(string? json)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = TestClient.Connect(server.Path);
        var reply = client.Negotiate(json);
        var text = Encoding.UTF8.GetString(reply.Payload.AsSpan(4));
        Assert.StartsWith("{\"capabilities\":{", text, StringComparison.Ordinal);
        Assert.DoesNotContain("write_multiple", text, StringComparison.Ordinal);
        Assert.DoesNotContain("twin_socket", text, StringComparison.Ordinal);
        Assert.EndsWith("}}\0", text, StringComparison.Ordinal);
    }

    public static TheoryData<byte[]> Refused => new()
    {
        Array.Empty<byte>(),
        new byte[] { 0, 0 },
        TestClient.VersionPayload(999, 0, null),
        Fields.Of((ushort)0, (ushort)1, Encoding.UTF8.GetBytes("{}")),
        TestClient.VersionPayload(0, 1, "{"),
        TestClient.VersionPayload(0, 1, "\""),
        TestClient.VersionPayload(0, 1, ""),
        TestClient.VersionPayload(0, 1, "{} {}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":\"23\"}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"max_msg_fds\":\"foo\"}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"max_msg_fds\":-1}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"max_msg_fds\":1025}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"max_msg_fds\":1.5}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"max_msg_fds\":1e308}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"max_data_xfer_size\":0}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"max_data_xfer_size\":18446744073709551616}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"migration\":\"23\"}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"migration\":{\"pgsize\":\"foo\"}}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"migration\":{\"pgsize\":4095}}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"write_multiple\":1}}"),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":{\"twin_socket\":true}}"),
        TestClient.VersionPayload(0, 1, new string('[', 100_000)),
        TestClient.VersionPayload(0, 1, "{\"capabilities\":" + new string('[', 100_000)),
        Fields.Of((ushort)0, (ushort)0, new byte[] { (byte)'{', (byte)'"', 0xff, 0xfe, (byte)'"', (byte)':', (byte)'1', (byte)'}', 0 }),
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_version_that_cannot_be_is_refused_and_closed_and_the_next_client_served(byte[] payload)
    {
        await using var server = await RunningServer.StartAsync();
        using (var client = TestClient.Connect(server.Path))
        {
            client.Refuse(Errno.EINVAL, 1, payload);
            client.AssertClosed();
        }

        Assert.Empty(server.Device.Events);
        server.AssertServesNext();
    }

    [Fact]
    public async Task A_mebibyte_of_json_is_read()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = TestClient.Connect(server.Path);
        client.Negotiate("{\"x\":\"" + new string('y', 1_000_000) + "\"}");
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task A_second_version_and_commands_before_the_first_are_refused_and_harm_nothing()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = TestClient.Connect(server.Path);
        foreach (var command in new ushort[] { 0, 2, 4, 9, 13, 14, 999 })
            client.Refuse(Errno.EINVAL, command, Fields.Of(0ul, 0u, 4u));
        Assert.Empty(server.Device.Events);
        client.Negotiate();
        client.Refuse(Errno.EINVAL, 1, TestClient.VersionPayload(0, 0, null));
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}")]
    public async Task A_version_that_wants_no_reply_gets_none_and_is_negotiated(string capabilities)
    {
        await using var server = await RunningServer.StartAsync();
        using var client = TestClient.Connect(server.Path);
        client.Send(1, TestClient.VersionPayload(0, 0, capabilities), 0x10);
        client.Succeed(2, TestClient.Map(0x1000, 0x1000));

        // Without a reply there is no twin socket: requests come where the client is.
        var read = Task.Run(() => server.Device.Dma.Read(0x1000, new byte[4]));
        var request = client.Receive();
        Assert.Equal((11, 0u), (request.Command, request.Flags));
        client.Socket.Dispose();
        Assert.Equal(Errno.ENOTCONN, (await read).Error);
    }

    [Fact]
    public async Task A_twin_socket_is_granted_only_to_a_client_that_proposes_it()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = TestClient.Connect(server.Path);
        var reply = client.Negotiate("{\"capabilities\":{\"twin_socket\":{\"supported\":true},\"write_multiple\":true,\"max_msg_fds\":8}}");
        Assert.Contains(
            "\"twin_socket\":{\"supported\":true,\"fd_index\":0}", Encoding.UTF8.GetString(reply.Payload), StringComparison.Ordinal);
        Assert.Single(reply.Descriptors);
        Assert.True(reply.Size <= 214);
        using var twin = new RawSocket(new Microsoft.Win32.SafeHandles.SafeFileHandle(reply.Descriptors[0], true));
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }
}
