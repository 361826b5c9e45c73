using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Serving;

public sealed class EndpointTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("vfio-user-").FullName;
    private readonly TestDevice _device = new();

    private string SocketPath => Path.Combine(_directory, "s");

    public void Dispose()
    {
        _device.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_path_is_for_its_owner_alone_and_removed_at_the_end()
    {
        using var stop = new CancellationTokenSource();
        var server = new VfioUserServer(_device);
        var running = server.RunAsync(VfioUserEndpoint.Path(SocketPath), stop.Token);
        await server.Listening;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(SocketPath));
        await stop.CancelAsync();
        await running;
        Assert.False(File.Exists(SocketPath));
    }

    [Fact]
    public async Task A_socket_has_its_name_only_once_it_listens()
    {
        for (var i = 0; i < 20; i++)
        {
            using var stop = new CancellationTokenSource();
            var waiting = Task.Factory.StartNew(
                () =>
                {
                    // Nothing tells that a name appears before a connect could be made: libvfio-user's sample client looks as fast as it can.
                    while (!File.Exists(SocketPath) && !stop.IsCancellationRequested)
                    {
                    }

                    RawSocket.Connect(SocketPath).Dispose();
                },
                TestContext.Current.CancellationToken,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
            var running = new VfioUserServer(_device).RunAsync(VfioUserEndpoint.Path(SocketPath), stop.Token);
            await waiting;
            await stop.CancelAsync();
            await running;
            Assert.Empty(Directory.GetFileSystemEntries(_directory));
        }
    }

    [Fact]
    public async Task A_stale_socket_is_replaced_a_live_one_and_a_file_are_not()
    {
        using (Listen(SocketPath))
        {
            var busy = await Assert.ThrowsAsync<VfioException>(() => RunAsync(VfioUserEndpoint.Path(SocketPath)));
            Assert.Equal(Errno.EBUSY, busy.Error);
        }

        Assert.True(File.Exists(SocketPath));
        using var stop = new CancellationTokenSource();
        var server = new VfioUserServer(_device);
        var running = server.RunAsync(VfioUserEndpoint.Path(SocketPath), stop.Token);
        await server.Listening;
        using (var client = TestClient.ConnectAndNegotiate(SocketPath))
            Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        await stop.CancelAsync();
        await running;

        await File.WriteAllTextAsync(SocketPath, "precious", TestContext.Current.CancellationToken);
        var exists = await Assert.ThrowsAsync<VfioException>(() => RunAsync(VfioUserEndpoint.Path(SocketPath)));
        Assert.Equal(Errno.EEXIST, exists.Error);
        Assert.Equal("precious", await File.ReadAllTextAsync(SocketPath, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_path_that_is_anothers_by_now_is_left_alone()
    {
        using var stop = new CancellationTokenSource();
        var server = new VfioUserServer(_device);
        var running = server.RunAsync(VfioUserEndpoint.Path(SocketPath), stop.Token);
        await server.Listening;
        File.Delete(SocketPath);
        using var other = Listen(SocketPath);
        await stop.CancelAsync();
        await running;
        Assert.True(File.Exists(SocketPath));
    }

    [Fact]
    public async Task Paths_that_cannot_be_fail_both_tasks()
    {
        var (tooLong, nowhere) = (Path.Combine(_directory, new string('x', 110)), Path.Combine(_directory, "no", "s"));
        foreach (var (path, error) in new[] { (tooLong, Errno.EINVAL), (nowhere, Errno.ENOENT) })
        {
            var server = new VfioUserServer(_device);
            Assert.Equal(error, (await Assert.ThrowsAsync<VfioException>(() => RunAsync(VfioUserEndpoint.Path(path), server))).Error);
            await Assert.ThrowsAsync<VfioException>(() => server.Listening);
        }
    }

    [Fact]
    public async Task A_listening_descriptor_is_served_and_closed_and_listens_on_elsewhere()
    {
        using var listening = Listen(SocketPath);
        using var stop = new CancellationTokenSource();
        var duplicate = new SafeFileHandle(Libc.fcntl(listening, Libc.F_DUPFD_CLOEXEC, 0), true);
        var running = new VfioUserServer(_device).RunAsync(VfioUserEndpoint.Descriptor(duplicate), stop.Token);
        for (var i = 0; i < 2; i++)
        {
            using var client = TestClient.ConnectAndNegotiate(SocketPath);
            Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        }

        await stop.CancelAsync();
        await running;
        Assert.True(duplicate.IsClosed);

        // Whoever gave the descriptor may still accept on it, and the path is not ours to remove.
        using var later = RawSocket.Connect(SocketPath);
        Assert.True(File.Exists(SocketPath));
    }

    [Fact]
    public async Task A_connected_descriptor_serves_its_one_client()
    {
        var (here, there) = RawSocket.Pair();
        var running = new VfioUserServer(_device).RunAsync(VfioUserEndpoint.Descriptor(there), TestContext.Current.CancellationToken);
        using (var client = new TestClient(here))
        {
            client.Negotiate();
            Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        }

        await running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal(["open", "close ClientLost"], _device.Events);
        Assert.True(there.IsClosed);
    }

    [Fact]
    public async Task A_connected_descriptor_that_does_not_block_is_served_all_the_same()
    {
        var (here, there) = RawSocket.Pair();
        Assert.Equal(0, Libc.fcntl(there, Libc.F_SETFL, 0x800));
        var running = new VfioUserServer(_device).RunAsync(VfioUserEndpoint.Descriptor(there), TestContext.Current.CancellationToken);
        using (var client = new TestClient(here))
        {
            client.Negotiate();
            Assert.False(client.Socket.WaitReadable(20));
            Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
        }

        await running;
    }

    [Fact]
    public async Task Descriptors_that_are_no_unix_stream_socket_are_refused()
    {
        var pipe = TestFiles.EventFd();
        Assert.NotEqual(Errno.None, (await Assert.ThrowsAsync<VfioException>(() => RunAsync(VfioUserEndpoint.Descriptor(pipe)))).Error);
        var tcp = Libc.socket(2, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0);
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<VfioException>(() => RunAsync(VfioUserEndpoint.Descriptor(tcp)))).Error);
        var datagram = Libc.socket(Libc.AF_UNIX, 2 | Libc.SOCK_CLOEXEC, 0);
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<VfioException>(() => RunAsync(VfioUserEndpoint.Descriptor(datagram)))).Error);
        Assert.True(pipe.IsClosed && tcp.IsClosed && datagram.IsClosed);

        }

    [Fact]
    public async Task A_server_runs_once_and_stops_at_once_when_it_was_cancelled_before()
    {
        var server = new VfioUserServer(_device);
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        var running = server.RunAsync(VfioUserEndpoint.Path(SocketPath), stop.Token);
        await running.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(VfioUserEndpoint.Path(SocketPath), server));
        Assert.Empty(_device.Events);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new VfioUserServer(_device, new VfioUserServerOptions { MaxDmaMaps = (1 << 20) + 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new VfioUserServer(_device, new VfioUserServerOptions { MaxDmaMaps = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => new VfioUserServer(_device, new VfioUserServerOptions { ReplyDeadline = TimeSpan.FromSeconds(-1) }));
    }

    private Task RunAsync(VfioUserEndpoint endpoint, VfioUserServer? server = null)
        => (server ?? new VfioUserServer(_device)).RunAsync(endpoint, TestContext.Current.CancellationToken);

    private static unsafe SafeFileHandle Listen(string path)
    {
        var socket = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0);
        sockaddr_un address = default;
        address.sun_family = Libc.AF_UNIX;
        Encoding.UTF8.GetBytes(path).CopyTo(new Span<byte>(address.sun_path, 107));
        if (Libc.bind(socket, &address, (uint)(2 + path.Length + 1)) != 0 || Libc.listen(socket, 4) != 0)
            throw new VfioException((Errno)Marshal.GetLastPInvokeError(), path);
        return socket;
    }
}
