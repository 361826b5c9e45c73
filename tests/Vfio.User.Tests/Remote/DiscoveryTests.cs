using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Remote;

public sealed class DiscoveryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("vfio-remote-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Addresses_count_the_servers_in_the_order_in_which_they_were_named()
    {
        await using var one = await RunningServer.StartAsync();
        await using var two = await RunningServer.StartAsync();
        var source = new VfioUserFunctionSource([new(two.Path), new(one.Path)]);

        var functions = await source.DiscoverAsync(Cancellation);
        Assert.Equal(["ffff:00:00.0", "ffff:00:01.0"], functions.Select(f => f.Address.ToString()));
        Assert.True((await functions[0].Virtualized!.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        Assert.True(two.Device.IsOpen);
        await functions[0].Virtualized!.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_server_is_left_for_others_and_its_device_is_not_reset()
    {
        await using var server = await RunningServer.StartAsync();

        await new VfioUserFunctionSource([new(server.Path)]).DiscoverAsync(Cancellation);
        server.AssertServesNext();
        Assert.DoesNotContain(server.Device.Events, one => one.StartsWith("reset", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_socket_that_is_not_there_is_named_with_what_to_do()
    {
        var path = Path.Combine(_directory, "none");

        var failure = await FailAsync(new VfioUserRemote(path));
        Assert.Equal(Errno.ENOENT, failure.Error);
        Assert.Equal($"remote {path}: there is no such socket; start its server first (ENOENT)", failure.Message);
    }

    [Fact]
    public async Task A_socket_that_nobody_listens_on_is_named_with_what_to_do()
    {
        var path = Path.Combine(_directory, "left");
        await File.WriteAllTextAsync(path, "", Cancellation);

        var failure = await FailAsync(new VfioUserRemote(path));
        Assert.Equal(Errno.ECONNREFUSED, failure.Error);
        Assert.Contains("nobody listens on it", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_has_a_client_is_said_to_be_busy()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();

        var failure = await FailAsync(new VfioUserRemote(server.Path, new() { ConnectTimeout = TimeSpan.FromMilliseconds(200) }));
        Assert.Equal(Errno.ETIMEDOUT, failure.Error);
        Assert.Contains("another client has it", failure.Message, StringComparison.Ordinal);
        Assert.Equal(4, client.ReadRegion(0, 0, 4).Length);
    }

    [Fact]
    public async Task What_speaks_something_else_is_no_vfio_user_server()
    {
        var path = Path.Combine(_directory, "other");
        using var listener = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        listener.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
        listener.Listen();
        var answer = Task.Run(
            async () =>
            {
                using var client = await listener.AcceptAsync(Cancellation);
                await client.SendAsync("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"u8.ToArray(), Cancellation);
                await client.ReceiveAsync(new byte[4096], Cancellation);
            },
            Cancellation);

        var failure = await FailAsync(new VfioUserRemote(path));
        Assert.Contains("no vfio-user server", failure.Message, StringComparison.Ordinal);
        await answer;
    }

    [Fact]
    public async Task One_socket_named_twice_is_refused_before_anybody_connects()
    {
        await using var server = await RunningServer.StartAsync();

        var failure = await FailAsync(new VfioUserRemote(server.Path), new VfioUserRemote(server.Path));
        Assert.Equal(Errno.EEXIST, failure.Error);
        Assert.Empty(server.Device.Events);
    }

    [Fact]
    public async Task A_function_that_does_not_answer_is_none()
    {
        await using var server = await RunningServer.StartAsync();
        server.Device.Write(RegionIndex.Config, 0, [0xFF, 0xFF]);

        Assert.Equal(Errno.ENODEV, (await FailAsync(new VfioUserRemote(server.Path))).Error);
        server.AssertServesNext();
    }

    private static Task<VfioException> FailAsync(params VfioUserRemote[] remotes)
        => Assert.ThrowsAsync<VfioException>(async () => await new VfioUserFunctionSource(remotes).DiscoverAsync(Cancellation));
}
