using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Vfio.Hosting.Plugins;
using Vfio.User;

namespace Vfio.Hosting.Tests;

/// <summary>The host over the simulated topology, with the core and the server that go with it.</summary>
public sealed class HostTests
{
    private static readonly PciAddress Vf = PciAddress.Parse("0000:01:00.1");

    [Fact]
    public async Task A_function_is_opened_once_and_free_again_when_it_is_closed()
    {
        await using var services = Compose();
        var host = MatchingTests.Host(services);
        await using (var opened = await host.OpenAsync(Vf, null, TestContext.Current.CancellationToken))
        {
            var id = new byte[4];
            Assert.Equal(4, opened.Device.Read(RegionIndex.Config, 0, id).Value);
            Assert.Equal(0x4E561234u, BitConverter.ToUInt32(id));
            var busy = await Assert.ThrowsAsync<VfioException>(
                () => host.OpenAsync(Vf, null, TestContext.Current.CancellationToken).AsTask());
            Assert.Equal(Errno.EBUSY, busy.Error);
            Assert.Contains("opened in process", busy.Message, StringComparison.Ordinal);
        }

        await using var again = await host.OpenAsync(Vf, null, TestContext.Current.CancellationToken);
        Assert.Equal("vfio-pci", again.Driver);
    }

    [Fact]
    public async Task A_driver_whose_device_throws_costs_its_own_device_and_the_next_open_starts_anew()
    {
        await using var services = Compose(b => b.AddDriver<ThrowsOnConfigRead>());
        var host = MatchingTests.Host(services);
        var neighbour = PciAddress.Parse("0000:01:00.2");
        await using var other = await host.OpenAsync(neighbour, new() { Driver = "vfio-pci" }, TestContext.Current.CancellationToken);
        await using (var opened = await host.OpenAsync(Vf, null, TestContext.Current.CancellationToken))
        {
            Assert.Equal("throws", opened.Driver);
            Assert.Equal(Errno.EIO, opened.Device.Read(RegionIndex.Config, 0, new byte[4]).Error);
            Assert.Equal(Errno.EIO, opened.Device.Read(RegionIndex.Bar0, 0, new byte[4]).Error);
            var described = host.Describe().Functions.Single(f => f.Address == Vf.ToString()).Device!;
            Assert.Contains("driver throws: Read threw InvalidOperationException: no", described.Fault, StringComparison.Ordinal);
            Assert.Equal(HealthStatus.Unhealthy, await HealthAsync(services));
            Assert.Equal(4, other.Device.Read(RegionIndex.Config, 0, new byte[4]).Value);
        }

        // The function was quiesced behind the driver's back, so that another may have it.
        await using var again = await host.OpenAsync(Vf, new() { Driver = "vfio-pci" }, TestContext.Current.CancellationToken);
        Assert.Equal(4, again.Device.Read(RegionIndex.Config, 0, new byte[4]).Value);
        Assert.Equal(HealthStatus.Healthy, await HealthAsync(services));
    }

    [Fact]
    public async Task A_served_function_is_in_use_until_the_serving_ends()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-host-");
        try
        {
            await using var services = Compose();
            var host = MatchingTests.Host(services);
            var path = Path.Combine(directory.FullName, "a.sock");
            await using (var served = await host.ServeAsync(Vf, VfioUserEndpoint.Path(path), null, TestContext.Current.CancellationToken))
            {
                Assert.True(File.Exists(path));
                Assert.False(served.Completion.IsCompleted);
                Assert.Equal($"served on {path}", host.Describe().Functions.Single(f => f.Address == Vf.ToString()).Device!.Use);
                await Assert.ThrowsAsync<VfioException>(() => host.OpenAsync(Vf, null, TestContext.Current.CancellationToken).AsTask());
            }

            Assert.False(File.Exists(path));
            await using var opened = await host.OpenAsync(Vf, null, TestContext.Current.CancellationToken);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_driver_that_never_returns_does_not_keep_its_host_from_ending()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-host-");
        await using var services = Compose(b => b.AddDriver<HangsOnConfigRead>().Services.Configure<VfioHostOptions>(
            o => o.OperationTimeout = TimeSpan.FromMilliseconds(100)));
        var endpoint = VfioUserEndpoint.Path(Path.Combine(directory.FullName, "a.sock"));
        var served = await MatchingTests.Host(services).ServeAsync(Vf, endpoint, null, TestContext.Current.CancellationToken);
        try
        {
            using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await client.ConnectAsync(new UnixDomainSocketEndPoint(endpoint.ToString()), TestContext.Current.CancellationToken);
            await client.SendAsync(Message(1, [0, 0, 0, 0]), TestContext.Current.CancellationToken);
            await client.SendAsync(Message(9, [0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0]), TestContext.Current.CancellationToken);
            await HangsOnConfigRead.Entered.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);

            await served.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
            Assert.False(served.Completion.IsCompleted);
        }
        finally
        {
            HangsOnConfigRead.Leave.TrySetResult();
            await served.Completion;
            directory.Delete(recursive: true);
        }
    }

    internal static byte[] Message(byte command, byte[] payload)
        => [0, 0, command, 0, (byte)(16 + payload.Length), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, .. payload];

    [Fact]
    public async Task An_endpoint_that_cannot_be_had_leaves_the_function_free()
    {
        await using var services = Compose();
        var host = MatchingTests.Host(services);
        var endpoint = VfioUserEndpoint.Path("/nowhere/a.sock");
        await Assert.ThrowsAsync<VfioException>(() => host.ServeAsync(Vf, endpoint, null, TestContext.Current.CancellationToken).AsTask());
        await using var opened = await host.OpenAsync(Vf, null, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_host_that_ends_takes_back_what_it_lent()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-host-");
        try
        {
            var path = Path.Combine(directory.FullName, "a.sock");
            ServedDevice served;
            await using (var services = Compose())
            {
                served = await MatchingTests.Host(services).ServeAsync(
                    Vf, VfioUserEndpoint.Path(path), null, TestContext.Current.CancellationToken);
            }

            Assert.True(served.Completion.IsCompletedSuccessfully);
            Assert.False(File.Exists(path));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_description_is_a_document_for_bug_reports()
    {
        await using var services = Compose();
        var host = MatchingTests.Host(services);
        await using var opened = await host.OpenAsync(Vf, null, TestContext.Current.CancellationToken);
        var json = JsonSerializer.SerializeToElement(host.Describe());
        Assert.Equal(VfioContract.Version.ToString(), json.GetProperty("Contract").GetString());
        var function = json.GetProperty("Functions").EnumerateArray().Single(f => f.GetProperty("Address").GetString() == Vf.ToString());
        Assert.Equal("0000:01:00.0", function.GetProperty("Controller").GetString());
        Assert.Equal("vfio-pci", function.GetProperty("Device").GetProperty("Driver").GetString());
    }

    [Fact]
    public async Task Functions_can_be_served_for_as_long_as_the_application_runs()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-host-");
        try
        {
            var path = Path.Combine(directory.FullName, "a.sock");
            await using var services = Compose(b => b.AddVfioServer("00.1", VfioUserEndpoint.Path(path)));
            var service = services.GetRequiredService<Microsoft.Extensions.Hosting.IHostedService>();
            await service.StartAsync(TestContext.Current.CancellationToken);
            Assert.True(File.Exists(path));
            await service.StopAsync(TestContext.Current.CancellationToken);
            Assert.False(File.Exists(path));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_plugin_whose_device_throws_fails_closed_through_the_whole_stack()
    {
        using var plugins = new PluginFolder().Add("throwing-read");
        await using var services = Compose(b => b.AddPlugins(plugins.Path));
        var host = MatchingTests.Host(services);
        await host.StartAsync(TestContext.Current.CancellationToken);
        Assert.Equal(PluginState.Loaded, Assert.Single(host.Plugins).State);
        await using var opened = await host.OpenAsync(
            Vf, new() { Driver = "throwing-read-vfio-pci" }, TestContext.Current.CancellationToken);
        Assert.Equal(Errno.EIO, opened.Device.Read(RegionIndex.Config, 0, new byte[4]).Error);
        Assert.Contains(
            opened.Device.Describe(),
            r => r.Key == "broken" && r.Value.Contains("a table that was never filled", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_unknown_profile_is_refused_and_the_function_stays_free()
    {
        await using var services = Compose();
        var host = MatchingTests.Host(services);
        var error = await Assert.ThrowsAsync<VfioException>(
            () => host.OpenAsync(Vf, new() { Profile = "nonesuch" }, TestContext.Current.CancellationToken).AsTask());
        Assert.Equal(Errno.EINVAL, error.Error);
        await using var opened = await host.OpenAsync(Vf, new() { Profile = IProfiles.Native }, TestContext.Current.CancellationToken);
    }

    private static ServiceProvider Compose(Action<IVfioBuilder>? more = null)
    {
        var services = new ServiceCollection();
        var builder = services.AddVfio().AddSimulation().AddHealthCheck();
        more?.Invoke(builder);
        return services.BuildServiceProvider();
    }

    private static async Task<HealthStatus> HealthAsync(IServiceProvider services)
        => (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken)).Status;

    private sealed class HangsOnConfigRead : VariantDriver
    {
        public static TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public static TaskCompletionSource Leave { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override string Name => "hangs";

        public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0x1234 }];

        public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
            => new(ProbeResult.Bound(new Device(context.Core)));

        private sealed class Device(IVfioPciCore core) : VfioPciDevice(core)
        {
            public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
            {
                Entered.TrySetResult();
                Leave.Task.GetAwaiter().GetResult();
                return Errno.EIO;
            }
        }
    }

    private sealed class ThrowsOnConfigRead : VariantDriver
    {
        public override string Name => "throws";

        public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0x1234 }];

        public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
            => new(ProbeResult.Bound(new Device(context.Core)));

        private sealed class Device(IVfioPciCore core) : VfioPciDevice(core)
        {
            public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
                => region == RegionIndex.Config ? throw new InvalidOperationException("no") : base.Read(region, offset, destination);

            public override ValueTask CloseAsync(ResetCause cause) => throw new InvalidOperationException("not that either");
        }
    }
}
