using System.Net.Sockets;
using Vfio.Tool.Migration;

namespace Vfio.Tool.Tests.Migration;

public sealed class ConnectionsTests
{
    [Fact]
    public async Task A_listener_that_has_ended_leaves_the_path_to_the_next_one()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-listen-");
        var place = new UnixPlace(Path.Combine(directory.FullName, "wire"));
        var cancellationToken = TestContext.Current.CancellationToken;
        using var first = await Listener.ListenAsync(place, cancellationToken);
        await using var source = await Connections.ConnectAsync(place, null, cancellationToken);
        await using var destination = await first.AcceptAsync(null, cancellationToken);
        using (await Listener.ListenAsync(place, cancellationToken))
        {
            first.Dispose();
            Assert.True(File.Exists(place.Path));
        }

        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_path_in_use_is_refused_with_what_to_do()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-listen-");
        var place = new UnixPlace(Path.Combine(directory.FullName, "wire"));
        using (await Listener.ListenAsync(place, TestContext.Current.CancellationToken))
        {
            var failure = await Assert.ThrowsAsync<VfioException>(() => Listener.ListenAsync(place, TestContext.Current.CancellationToken));
            Assert.Contains("remove it", failure.Message, StringComparison.Ordinal);
        }

        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_peer_that_says_nothing_does_not_hold_the_handshake()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-tls-");
        string[] files = new TestAuthority(directory.FullName, "ca").Options("localhost");
        using var read = TlsIdentity.Read(new(files[1]), new(files[3]), new(files[5]));
        read.HandshakeTimeout = TimeSpan.FromMilliseconds(50);
        var (here, there) = LocalConnection.Create();
        await using var silent = there;
        var failure = await Assert.ThrowsAsync<VfioException>(() => read.ConnectAsync(here, "localhost", TestContext.Current.CancellationToken));
        Assert.Equal(Errno.ETIMEDOUT, failure.Error);
        directory.Delete(recursive: true);
    }

    [Fact]
    public void A_host_that_is_gone_is_noticed()
    {
        using var socket = Connections.NewSocket(new TcpPlace("localhost", 1));
        Assert.NotEqual(0, (int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive)!);
    }
}
