using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>A server that grants what is no twin socket, or says what only looks like JSON.</summary>
public class HostileNegotiationTests
{
    private const string Twin = "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}";
    private const int AF_NETLINK = 16, AF_INET = 2, SOCK_DGRAM = 2, SOCK_RAW = 3;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    public static TheoryData<string> NoTwins => ["netlink", "udp", "unix datagram", "eventfd", "file"];

    [Theory]
    [MemberData(nameof(NoTwins))]
    public async Task What_is_no_connected_stream_socket_is_no_twin(string what)
    {
        using var granted = what switch
        {
            "netlink" => Libc.socket(AF_NETLINK, SOCK_RAW | Libc.SOCK_CLOEXEC, 0),
            "udp" => Libc.socket(AF_INET, SOCK_DGRAM | Libc.SOCK_CLOEXEC, 0),
            "unix datagram" => Libc.socket(Libc.AF_UNIX, SOCK_DGRAM | Libc.SOCK_CLOEXEC, 0),
            "eventfd" => TestFiles.EventFd(),
            _ => TestFiles.SealedMemory(4096),
        };
        Assert.False(granted.IsInvalid);
        var refused = await Assert.ThrowsAsync<VfioException>(() => ConnectAsync(TestClient.VersionPayload(0, 0, Twin), granted).WaitAsync(Bound, TestContext.Current.CancellationToken));
        Assert.Equal(Errno.EPROTO, refused.Error);
    }

    [Theory]
    [InlineData("{\"capabilities\":{\"\\ud800max_msg_fds\":8}}")]
    [InlineData("{\"\\udc00capabilities\":{}}")]
    [InlineData("{\"capabilities\":{\"\\ud800\\u0041x_msg_fds\":8}}")]
    [InlineData("{\"\\ud83d\\ude00\":\"\\ud800\"}")]
    public async Task Half_a_character_in_a_name_or_a_text_is_passed_over_or_refused(string json)
    {
        try
        {
            await using var client = await ConnectAsync(TestClient.VersionPayload(0, 0, json)).WaitAsync(Bound, TestContext.Current.CancellationToken);
            Assert.Equal(1, client.Server.MaxMessageDescriptors);
        }
        catch (VfioException refused)
        {
            Assert.Equal(Errno.EPROTO, refused.Error);
        }
    }

    [Fact]
    public async Task Nesting_without_end_is_refused()
    {
        var json = "{\"capabilities\":{\"x\":" + new string('[', 30_000) + new string(']', 30_000) + "}}";
        Assert.Equal(Errno.EPROTO, (await Assert.ThrowsAsync<VfioException>(() => ConnectAsync(TestClient.VersionPayload(0, 0, json)))).Error);
    }

    [Fact]
    public async Task Descriptors_beside_the_twin_are_closed()
    {
        var (here, there) = RawSocket.Pair();
        using var twin = here;
        using var granted = there;
        using var eventFd = TestFiles.EventFd();
        const string Second = "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":1}}}";
        await using var client = await ConnectAsync(TestClient.VersionPayload(0, 0, Second), eventFd, granted, eventFd);
        Assert.True(client.Server.TwinSocket);
        here.Send(RawMessage.Build(4, 11, Fields.Of(0ul, 4ul)));
        Assert.Equal(Errno.ENODEV, (Errno)here.ReceiveMessage()!.Error);
    }

    private static async Task<VfioUserClient> ConnectAsync(byte[] payload, params SafeFileHandle[] descriptors)
    {
        var (here, there) = RawSocket.Pair();
        var connecting = VfioUserClient.ConnectAsync(
            VfioUserEndpoint.Descriptor(there), cancellationToken: TestContext.Current.CancellationToken);
        ScriptedServer.AnswerVersion(here, payload, descriptors);
        try
        {
            var client = await connecting;
            _ = client.Completion.ContinueWith(_ => here.Dispose(), TaskScheduler.Default);
            return client;
        }
        catch
        {
            here.Dispose();
            throw;
        }
    }
}
