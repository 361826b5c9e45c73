using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Vfio.User;

namespace Vfio.Hosting.Tests;

/// <summary>Devices with no PCI function under them.</summary>
public sealed class MediatedDeviceTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_mediated_device_is_opened_by_name_and_has_one_user_at_a_time()
    {
        await using var provider = Provide(services => services.AddDevice("a", _ => new FakeDevice()));
        var host = provider.GetRequiredService<IVfioHost>();
        await using (var opened = await host.OpenAsync("a", null, Token))
        {
            Assert.Equal("a", opened.Driver);
            Assert.Equal(Errno.EBUSY, (await Assert.ThrowsAsync<VfioException>(() => host.OpenAsync("a", null, Token).AsTask())).Error);
            Assert.Equal("opened in process", Assert.Single(host.MediatedDevices).Device!.Use);
        }

        Assert.Null(Assert.Single(host.Describe().MediatedDevices).Device!.Use);
        await using var again = await host.OpenAsync("a", null, Token);
        var missing = await Assert.ThrowsAsync<VfioException>(() => host.OpenAsync("b", null, Token).AsTask());
        Assert.Equal(Errno.ENODEV, missing.Error);
        Assert.Contains("there are: a", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mediated_device_is_served_like_a_function()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("vfio-mediated-").FullName, "s");
        await using var provider = Provide(services => services.AddDevice<FakeDevice>("a"));
        var host = provider.GetRequiredService<IVfioHost>();
        await using (var served = await host.ServeAsync("a", VfioUserEndpoint.Path(path), null, Token))
        {
            Assert.True(File.Exists(path));
            Assert.False(served.Completion.IsCompleted);
        }

        Assert.False(File.Exists(path));
        Directory.Delete(Path.GetDirectoryName(path)!);
    }

    [Fact]
    public async Task One_that_cannot_be_created_has_a_reason_and_is_tried_again()
    {
        var tries = 0;
        await using var provider = Provide(services => services.AddDevice(
            "a", _ => tries++ == 0 ? throw new InvalidOperationException("no luck\nat all") : new FakeDevice()));
        var host = provider.GetRequiredService<IVfioHost>();
        await host.StartAsync(Token);
        Assert.Contains("InvalidOperationException: no luck", Assert.Single(host.MediatedDevices).Reason, StringComparison.Ordinal);
        var health = provider.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync(Token)).Status);
        await using var opened = await host.OpenAsync("a", null, Token);
        Assert.Null(Assert.Single(host.MediatedDevices).Reason);
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(Token)).Status);
    }

    [Fact]
    public async Task One_that_has_broken_is_made_anew_for_its_next_user()
    {
        var made = new List<FakeDevice>();
        await using var provider = Provide(services => services.AddDevice("a", _ =>
        {
            made.Add(new FakeDevice());
            return made[^1];
        }));
        var host = provider.GetRequiredService<IVfioHost>();
        await using (var opened = await host.OpenAsync("a", null, Token))
        {
            made[0].OnRead = _ => throw new InvalidOperationException("broken");
            Assert.Equal(Errno.EIO, opened.Device.Read(0, 0, new byte[4]).Error);
            Assert.NotNull(Assert.Single(host.MediatedDevices).Device!.Fault);
        }

        await using var again = await host.OpenAsync("a", null, Token);
        Assert.Equal(2, made.Count);
        Assert.Null(Assert.Single(host.MediatedDevices).Device!.Fault);
    }

    [Fact]
    public async Task Two_of_one_name_do_not_start()
    {
        await using var provider = Provide(services => services.AddDevice<FakeDevice>("a").AddDevice<FakeDevice>("a"));
        var refused = await Assert.ThrowsAsync<VfioException>(() => provider.GetRequiredService<IVfioHost>().StartAsync(Token).AsTask());
        Assert.Equal(Errno.EEXIST, refused.Error);
    }

    private static ServiceProvider Provide(Action<IVfioBuilder> add)
    {
        var services = new ServiceCollection();
        var builder = services.AddVfio();
        builder.AddHealthCheck();
        add(builder);
        return services.BuildServiceProvider();
    }
}
