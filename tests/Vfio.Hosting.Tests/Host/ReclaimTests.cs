using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Vfio.User;

namespace Vfio.Hosting.Tests;

/// <summary>A host that wants a function back asks for it.</summary>
public sealed class ReclaimTests : IDisposable
{
    private static readonly PciAddress Vf = PciAddress.Parse("0000:01:00.1");
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vfio-reclaim-");
    private readonly ManualTime _time = new();
    private Asked _asked = new();

    private VfioUserEndpoint Endpoint => VfioUserEndpoint.Path(Path.Combine(_directory.FullName, "a.sock"));

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task A_client_is_asked_at_once_and_every_ten_seconds_until_it_is_gone()
    {
        await using var services = Compose();
        var served = await MatchingTests.Host(services).ServeAsync(Vf, Endpoint, null, TestContext.Current.CancellationToken);
        var client = await ConnectAsync();

        var reclaiming = served.ReclaimAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.Equal(0, await _asked.NextAsync());
        for (var count = 1; count <= 3; count++)
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            Assert.Equal(count, await _asked.NextAsync());
        }

        Assert.False(reclaiming.IsCompleted);
        client.Dispose();
        await reclaiming.WaitAsync(Soon, TestContext.Current.CancellationToken);
        Assert.True(served.Completion.IsCompletedSuccessfully);
        Assert.Equal(0, _asked.Left);
        Assert.Equal(0, _time.Timers(TimeSpan.FromSeconds(10)));
        await using var opened = await MatchingTests.Host(services).OpenAsync(Vf, null, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Nobody_is_asked_where_nobody_has_the_device()
    {
        await using var services = Compose();
        var served = await MatchingTests.Host(services).ServeAsync(Vf, Endpoint, null, TestContext.Current.CancellationToken);

        await served.ReclaimAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Soon, TestContext.Current.CancellationToken);
        Assert.True(served.Completion.IsCompletedSuccessfully);
        Assert.Equal(0, _asked.Left);
    }

    [Fact]
    public async Task A_host_that_loses_its_patience_disconnects_the_client()
    {
        await using var services = Compose();
        var served = await MatchingTests.Host(services).ServeAsync(Vf, Endpoint, null, TestContext.Current.CancellationToken);
        using var client = await ConnectAsync();
        using var patience = new CancellationTokenSource();

        var reclaiming = served.ReclaimAsync(patience.Token).AsTask();
        Assert.Equal(0, await _asked.NextAsync());
        await patience.CancelAsync();
        await reclaiming.WaitAsync(Soon, TestContext.Current.CancellationToken);
        Assert.Equal(0, await client.ReceiveAsync(new byte[1], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_device_that_breaks_while_it_asks_does_not_hold_up_who_wants_it_back()
    {
        _asked = new() { BreaksAt = 1 };
        await using var services = Compose();
        var served = await MatchingTests.Host(services).ServeAsync(Vf, Endpoint, null, TestContext.Current.CancellationToken);
        using var client = await ConnectAsync();

        var reclaiming = served.ReclaimAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.Equal(0, await _asked.NextAsync());
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, await _asked.NextAsync());
        _time.Advance(TimeSpan.FromSeconds(10));
        await reclaiming.WaitAsync(Soon, TestContext.Current.CancellationToken);
        Assert.Equal(0, await client.ReceiveAsync(new byte[1], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_patience_that_no_timer_has_is_refused_at_the_start()
    {
        await using var services = Compose(b => b.Services.Configure<VfioHostOptions>(o => o.ReleaseTimeout = TimeSpan.MaxValue));
        Assert.Throws<Microsoft.Extensions.Options.OptionsValidationException>(() => MatchingTests.Host(services));
    }

    [Fact]
    public async Task An_application_that_stops_asks_for_as_long_as_it_was_told_to()
    {
        await using var services = Compose(b => b.AddVfioServer("01:00.1", Endpoint).Services
            .Configure<VfioHostOptions>(o => o.ReleaseTimeout = TimeSpan.FromSeconds(25)));
        var service = services.GetRequiredService<IHostedService>();
        await service.StartAsync(TestContext.Current.CancellationToken);
        using var client = await ConnectAsync();

        var stopping = service.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, await _asked.NextAsync());
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, await _asked.NextAsync());
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(2, await _asked.NextAsync());
        Assert.False(stopping.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(5));
        await stopping.WaitAsync(Soon, TestContext.Current.CancellationToken);
        Assert.Equal(0, await client.ReceiveAsync(new byte[1], TestContext.Current.CancellationToken));
    }

    private ServiceProvider Compose(Action<IVfioBuilder>? more = null)
    {
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(_time);
        services.AddSingleton(_asked);
        var builder = services.AddVfio().AddSimulation().AddDriver<AskedDriver>();
        more?.Invoke(builder);
        return services.BuildServiceProvider();
    }

    // Connected, and its device open: the answer to its version says so.
    private async Task<Socket> ConnectAsync()
    {
        var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(Endpoint.ToString()), TestContext.Current.CancellationToken);
        await client.SendAsync(HostTests.Message(1, [0, 0, 0, 0]), TestContext.Current.CancellationToken);
        await client.ReceiveAsync(new byte[4096], TestContext.Current.CancellationToken);
        await client.SendAsync(HostTests.Message(4, [16, .. new byte[15]]), TestContext.Current.CancellationToken);
        Assert.NotEqual(0, await client.ReceiveAsync(new byte[4096], TestContext.Current.CancellationToken));
        return client;
    }
}
