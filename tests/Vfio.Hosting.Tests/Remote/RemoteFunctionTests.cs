using Microsoft.Extensions.DependencyInjection;
using Vfio.User;

namespace Vfio.Hosting.Tests;

/// <summary>A host in front of another: the function that one serves is the other's to put a driver before.</summary>
public sealed class RemoteFunctionTests : IAsyncDisposable
{
    private const int ExpressDeviceControl = 0x68;
    private static readonly PciAddress First = PciAddress.Parse("ffff:00:00.0");
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vfio-remote-");
    private readonly ServiceProvider _far;

    public RemoteFunctionTests()
    {
        var services = new ServiceCollection();
        services.AddVfio().AddSimulation();
        _far = services.BuildServiceProvider();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _far.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task Ids_match_a_driver_and_its_overrides_stand_before_the_remote_device()
    {
        await ServeAsync("0000:01:00.1", "a");
        await using var near = Compose(b => b.AddVfioUser(Socket("a")).AddDriver<Sliced>());
        var host = MatchingTests.Host(near);

        var match = await host.ExplainAsync(First, null, Cancellation);
        Assert.Equal("sliced", match.Driver);
        await using var opened = await host.OpenAsync(First, null, Cancellation);
        Assert.Equal(0x1000ul, opened.Device.GetRegionInfo(0).Value!.Size);
        Assert.Equal(Errno.EINVAL, opened.Device.Read(0, 0x1000, new byte[4]).Error);
        var id = new byte[4];
        Assert.Equal(4, opened.Device.Read(RegionIndex.Config, 0x2C, id).Value);
        Assert.Equal([0x34, 0x12, 0xEF, 0xBE], id);
    }

    [Fact]
    public async Task A_guests_FLR_of_a_remote_function_reaches_the_driver_here_and_the_one_there()
    {
        await ServeAsync("0000:01:00.1", "a");
        await using var near = Compose(b => b.AddVfioUser(Socket("a")).AddDriver<Sliced>());
        await using var opened = await MatchingTests.Host(near).OpenAsync(First, null, Cancellation);
        var device = opened.Device;
        device.Write(RegionIndex.Config, 0x04, [0x02, 0x00]);
        var (enabled, read) = (new byte[] { 0, 0, 0x46, 0 }, new byte[4]);
        Assert.Equal(4, device.Write(0, 0x14, enabled).Value);
        device.Read(0, 0x14, read);
        Assert.Equal(enabled, read);

        Assert.Equal(2, device.Write(RegionIndex.Config, ExpressDeviceControl, [0x00, 0x80]).Value);
        Assert.Contains(device.Describe(), row => row is { Key: "resets", Value: "Open PcieFlr" });
        device.Write(RegionIndex.Config, 0x04, [0x02, 0x00]);
        device.Read(0, 0x14, read);
        Assert.Equal([0, 0, 0, 0], read);
    }

    [Fact]
    public async Task Remote_functions_are_counted_over_all_that_were_added()
    {
        await ServeAsync("0000:01:00.1", "a");
        await ServeAsync("0000:01:00.2", "b");
        await using var near = Compose(b => b.AddVfioUser(Socket("a")).AddSimulation().AddVfioUser(Socket("b")));
        var host = MatchingTests.Host(near);
        await host.StartAsync(Cancellation);

        Assert.Equal(["ffff:00:00.0", "ffff:00:01.0"], host.Functions.Where(f => f.Model == "vfio-user").Select(f => f.Address.ToString()));
        Assert.Equal("ffff:00:01.0", host.Find("f:00:01.0").Address.ToString());
        Assert.Equal("remote", host.Describe().Functions[^1].Source);
        Assert.Contains(host.Functions, f => f.Model == "nvme");
    }

    [Fact]
    public async Task A_remote_device_that_another_client_has_is_not_opened_and_stays_theirs()
    {
        await ServeAsync("0000:01:00.1", "a");
        await using var one = Compose(b => b.AddVfioUser(Socket("a"), Hasty));
        await using var two = Compose(b => b.AddVfioUser(Socket("a"), Hasty));
        await MatchingTests.Host(two).StartAsync(Cancellation);
        await using (var opened = await MatchingTests.Host(one).OpenAsync(First, null, Cancellation))
        {
            var refused = await Assert.ThrowsAsync<VfioException>(() => MatchingTests.Host(two).OpenAsync(First, null, Cancellation).AsTask());
            Assert.Equal(Errno.ETIMEDOUT, refused.Error);
            Assert.Equal(4, opened.Device.Read(RegionIndex.Config, 0, new byte[4]).Value);
        }

        await using var again = await MatchingTests.Host(two).OpenAsync(First, null, Cancellation);
        Assert.Equal(4, again.Device.Read(RegionIndex.Config, 0, new byte[4]).Value);
    }

    private static VfioUserClientOptions Hasty => new() { ConnectTimeout = TimeSpan.FromSeconds(2) };

    private static ServiceProvider Compose(Action<IVfioBuilder> add)
    {
        var services = new ServiceCollection();
        add(services.AddVfio());
        return services.BuildServiceProvider();
    }

    private string Socket(string name) => Path.Combine(_directory.FullName, name);

    private async Task ServeAsync(string function, string name)
        => await MatchingTests.Host(_far).ServeAsync(PciAddress.Parse(function), VfioUserEndpoint.Path(Socket(name)), null, Cancellation);

    private sealed class Sliced : VariantDriver
    {
        public override string Name => "sliced";

        public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0x1234, Device = 0x4E56 }];

        public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
            => ValueTask.FromResult(ProbeResult.Bound(new SlicedDevice(context.Core)));
    }

    private sealed class SlicedDevice(IVfioPciCore core) : VfioPciDevice(core)
    {
        private static readonly RegionSlice Visible = new(0x1000);
        private static readonly RegisterRange SubsystemId = new(0x2E, 2);
        private readonly List<ResetCause> _resets = [];

        public override VfioResult<RegionInfo> GetRegionInfo(int region)
            => base.GetRegionInfo(region) is { IsSuccess: true, Value: { } whole } && region == 0 ? Visible.Cut(whole) : base.GetRegionInfo(region);

        public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
        {
            if (region == 0 && Visible.Clip(offset, destination.Length) is { IsSuccess: false } behind)
                return behind;
            var read = base.Read(region, offset, destination);
            if (region == RegionIndex.Config && read.IsSuccess)
                SubsystemId.Patch(offset, destination[..read.Value], [0xEF, 0xBE]);
            return read;
        }

        public override IEnumerable<KeyValuePair<string, string>> Describe() => [new("resets", string.Join(" ", _resets))];

        protected override void ResetDone(ResetCause cause) => _resets.Add(cause);
    }
}
