using System.Buffers.Binary;
using Vfio.Core;
using Vfio.Native;
using Vfio.Simulation;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Serving;

/// <summary>What a client sees of a simulated function over the wire, through the core.</summary>
public sealed class SimulatedDeviceTests : IAsyncDisposable
{
    private const uint Set = 1 << 17, ConfigRegion = 7, ErrorIndex = 3, EventFdTrigger = 0x24;
    private readonly SimulatedTopology _topology = new(TopologyDefinition.Default);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("vfio-user-").FullName;
    private Task _running = Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(TimeSpan.FromSeconds(30));
        await _topology.DisposeAsync();
        _stop.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task An_uncorrectable_error_of_the_hardware_signals_the_clients_error_eventfd(int index)
    {
        var (function, client) = await ServeAsync(index);
        using var eventFd = EventFd.Create();
        client.Succeed(8, Fields.Of(20u, EventFdTrigger, ErrorIndex, 0u, 1u), eventFd);

        Assert.True(_topology.RaiseError(function.Address, UncorrectableError.PoisonedTlp));
        // It is signalled before whoever raised it goes on.
        Assert.Equal(1ul, EventFd.Consume(eventFd));
        var aer = ErrorReporting(client);
        Assert.Equal(1u << 12, Config(client, aer + 4));
        client.WriteRegion(ConfigRegion, (ulong)aer + 4, 0, 0x10, 0, 0);
        Assert.Equal(0u, Config(client, aer + 4));
        client.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Errors_are_reported_after_a_reset_as_before(int index)
    {
        var (function, client) = await ServeAsync(index);
        using var eventFd = EventFd.Create();
        client.Succeed(8, Fields.Of(20u, EventFdTrigger, ErrorIndex, 0u, 1u), eventFd);
        client.Succeed(13, []);
        Assert.True(_topology.RaiseError(function.Address, UncorrectableError.PoisonedTlp));
        Assert.Equal(1ul, EventFd.Consume(eventFd));
        client.Dispose();
    }

    [Fact]
    public async Task A_client_that_has_gone_is_told_of_no_error()
    {
        var (function, client) = await ServeAsync(1);
        using var eventFd = EventFd.Create();
        client.Succeed(8, Fields.Of(20u, EventFdTrigger, ErrorIndex, 0u, 1u), eventFd);
        client.Dispose();

        // The next client is served once the device of the first has been closed.
        using var next = TestClient.ConnectAndNegotiate(Path.Combine(_directory, "s"));
        Config(next, 0);
        Assert.True(_topology.RaiseError(function.Address, UncorrectableError.PoisonedTlp));
        Assert.Equal(0ul, EventFd.Consume(eventFd));
    }

    [Fact]
    public async Task A_client_that_lets_the_function_sleep_is_told_when_it_wakes()
    {
        var (function, client) = await ServeAsync(1);
        using var eventFd = EventFd.Create();
        var pm = Standard(client, 1);

        client.Succeed(16, Fields.Of(16u, 4u | Set, 1000u, 0u), eventFd);
        Assert.Equal(3u, function.ReadConfig(pm + 4, 2) & 3);
        Assert.Equal(0ul, EventFd.Consume(eventFd));
        Assert.Equal(0u, Config(client, pm + 4) & 3);
        Assert.Equal(1ul, EventFd.Consume(eventFd));
        client.Refuse(Errno.EBADF, 16, Fields.Of(16u, 4u | Set, 1000u, 0u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 4u | Set, -1, 0u), eventFd);
        client.Succeed(16, Fields.Of(8u, 3u | Set));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(8u, 3u | Set));
        client.Succeed(16, Fields.Of(8u, 5u | Set));
        client.Dispose();
    }

    private async Task<(IPciFunction Function, TestClient Client)> ServeAsync(int index)
    {
        var function = (await _topology.DiscoverAsync(TestContext.Current.CancellationToken))[index];
        var server = new VfioUserServer(new VfioPciDevice(new VfioPciCore(function)));
        var path = Path.Combine(_directory, "s");
        _running = server.RunAsync(VfioUserEndpoint.Path(path), _stop.Token);
        await server.Listening;
        return (function, TestClient.ConnectAndNegotiate(path));
    }

    private static uint Config(TestClient client, int offset)
        => BinaryPrimitives.ReadUInt32LittleEndian(client.ReadRegion(ConfigRegion, (ulong)offset, 4));

    private static int Standard(TestClient client, uint id)
    {
        var at = (int)(Config(client, 0x34) & 0xFF);
        while ((Config(client, at) & 0xFF) != id)
            at = (int)((Config(client, at) >> 8) & 0xFF);
        return at;
    }

    private static int ErrorReporting(TestClient client)
    {
        var at = 0x100;
        while ((Config(client, at) & 0xFFFF) != 1)
            at = (int)(Config(client, at) >> 20);
        return at;
    }
}
