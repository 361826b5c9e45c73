using Microsoft.Extensions.DependencyInjection;
using Vfio.User;

namespace Vfio.Hosting.Tests;

/// <summary>Devices of one host know of each other.</summary>
public sealed class DeviceSetTests
{
    private static readonly PciAddress Pf = PciAddress.Parse("0000:01:00.0");
    private static readonly PciAddress Vf = PciAddress.Parse("0000:01:00.1");
    private static readonly Guid Token = Guid.Parse("52ac9bff-3a88-4fbd-901a-0d767c3b6c97");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_bus_is_reset_once_all_of_its_functions_are_open_with_the_same_memory()
    {
        await using var services = Compose();
        var host = MatchingTests.Host(services);
        await host.StartAsync(Cancellation);
        var dma = new DmaSpace();
        var opened = new List<OpenedDevice>();
        try
        {
            foreach (var function in host.Functions)
            {
                if (opened.Count > 0)
                {
                    Assert.False(opened[0].Device.GetHotResetInfo().Value!.IsOwned);
                    Assert.Equal(Errno.EINVAL, (await opened[0].Device.HotResetAsync(Cancellation)).Error);
                }

                opened.Add(await host.OpenAsync(function.Address, new() { Dma = dma, VfToken = Token }, Cancellation));
            }

            var info = opened[0].Device.GetHotResetInfo().Value!;
            Assert.True(info.IsOwned);
            Assert.Equal(host.Functions.Select(f => f.Address), info.Devices.Select(d => d.Address));
            opened[1].Device.Write(RegionIndex.Config, 4, [4, 0]);
            Assert.True((await opened[1].Device.HotResetAsync(Cancellation)).IsSuccess);

            // VF Enable was restored with the PF, before the VFs: theirs could be.
            var command = new byte[2];
            opened[1].Device.Read(RegionIndex.Config, 4, command);
            Assert.Equal(4, command[0] & 4);
        }
        finally
        {
            foreach (var device in opened)
                await device.DisposeAsync();
        }
    }

    [Fact]
    [Trait("Trap", "50")]
    public async Task A_VF_token_is_asked_for_by_name_when_it_is_missing_wrong_or_of_no_use()
    {
        await using var services = Compose();
        var host = MatchingTests.Host(services);
        await RefusedAsync(host, Vf, Token, Errno.EINVAL, "no VF of a PF that is open");
        await using (await host.OpenAsync(Pf, new() { VfToken = Token }, Cancellation))
        {
            await RefusedAsync(host, Vf, null, Errno.EACCES, "its PF 0000:01:00.0 is open or has a VF token, and a VF token is required");
            await RefusedAsync(host, Vf, Guid.NewGuid(), Errno.EACCES, "the VF token is not the one that its PF 0000:01:00.0 has");
        }

        await using (await host.OpenAsync(Vf, new() { VfToken = Token }, Cancellation))
        {
            await RefusedAsync(host, Pf, null, Errno.EACCES, "VFs of it are in use, and a VF token is required");
            await RefusedAsync(host, Pf, Guid.NewGuid(), Errno.EACCES, "VFs of it are in use, and the VF token is not theirs");
        }

        await using var again = await host.OpenAsync(Pf, new() { VfToken = Guid.NewGuid() }, Cancellation);
    }

    [Fact]
    [Trait("Trap", "50")]
    public async Task A_served_PF_has_its_token_before_its_client_comes()
    {
        var directory = Directory.CreateTempSubdirectory("vfio-host-");
        try
        {
            await using var services = Compose();
            var host = MatchingTests.Host(services);
            var endpoint = VfioUserEndpoint.Path(Path.Combine(directory.FullName, "pf.sock"));
            await using var served = await host.ServeAsync(Pf, endpoint, new() { VfToken = Token }, Cancellation);
            await RefusedAsync(host, Vf, null, Errno.EACCES, "a VF token is required");
            await using var opened = await host.OpenAsync(Vf, new() { VfToken = Token }, Cancellation);
            await served.DisposeAsync();

            var refused = await Assert.ThrowsAsync<VfioException>(
                () => host.ServeAsync(Pf, endpoint, new() { VfToken = Guid.NewGuid() }, Cancellation).AsTask());
            Assert.Equal(Errno.EACCES, refused.Error);
            Assert.Contains("VFs of it are in use with another VF token", refused.Message, StringComparison.Ordinal);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task What_a_driver_opened_to_look_at_it_and_did_not_take_is_closed_for_the_next()
    {
        await using var services = Compose(b => b.AddDriver<LooksAndRefuses>());
        await using var opened = await MatchingTests.Host(services).OpenAsync(Vf, null, Cancellation);

        Assert.Equal("vfio-pci", opened.Driver);
    }

    private static async Task RefusedAsync(IVfioHost host, PciAddress function, Guid? token, Errno error, string why)
    {
        var refused = await Assert.ThrowsAsync<VfioException>(() => host.OpenAsync(function, new() { VfToken = token }, Cancellation).AsTask());
        Assert.Equal(error, refused.Error);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    private static ServiceProvider Compose(Action<IVfioBuilder>? more = null)
    {
        var services = new ServiceCollection();
        var builder = services.AddVfio().AddSimulation();
        more?.Invoke(builder);
        return services.BuildServiceProvider();
    }

    private sealed class LooksAndRefuses : VariantDriver
    {
        public override string Name => "looks";

        public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0x1234 }];

        public override async ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        {
            var opened = await context.Core.EnableAsync(new() { Dma = new DmaSpace() }, new VfioPciDevice(context.Core), cancellationToken);
            return ProbeResult.Refused($"it opened: {opened.Error}");
        }
    }
}
