using Microsoft.Extensions.DependencyInjection;
using Vfio.Hosting.Plugins;

namespace Vfio.Hosting.Tests;

public sealed class MatchingTests
{
    private static readonly FakeFunction Plain = new("0000:01:00.0", 1);
    private static readonly FakeFunction MakesProbeThrow = new("0000:01:00.4", 4);
    private static readonly FakeFunction MakesProbeHang = new("0000:01:00.5", 5);
    private static readonly FakeFunction MakesReadThrow = new("0000:01:00.6", 6);

    [Fact]
    public async Task The_entry_with_the_fewest_wildcards_wins_and_the_others_say_why_they_lost()
    {
        using var plugins = new PluginFolder().Add("good").Add("throwing-read");
        await using var services = Compose(plugins);
        var match = await Host(services).ExplainAsync(MakesReadThrow.Address, null, TestContext.Current.CancellationToken);

        Assert.Equal("throwing-read-vfio-pci", match.Driver);
        Assert.Equal(["throwing-read-vfio-pci", "good-vfio-pci", "vfio-pci"], match.Candidates.Select(c => c.Driver));
        Assert.Equal([5, 6, 7], match.Candidates.Select(c => c.Wildcards!.Value));
        Assert.Equal([CandidateVerdict.Bound, CandidateVerdict.Passed, CandidateVerdict.Passed], match.Candidates.Select(c => c.Verdict));
        Assert.All(match.Candidates.Skip(1), c => Assert.False(string.IsNullOrEmpty(c.Reason)));
        Assert.Equal("plugin throwing-read 0.1.0", match.Candidates[0].Origin);
    }

    [Fact]
    public async Task A_driver_that_degrades_serves_the_function_and_says_what_is_missing()
    {
        using var plugins = new PluginFolder().Add("good");
        await using var services = Compose(plugins);
        var match = await Host(services).ExplainAsync(Plain.Address, null, TestContext.Current.CancellationToken);

        Assert.Equal("good-vfio-pci", match.Driver);
        Assert.Equal(CandidateVerdict.Degraded, match.Candidates[0].Verdict);
        Assert.Equal("from a dependency of its own", match.Reason);
        Assert.Equal(IProfiles.Native, match.Profile);
    }

    [Fact]
    public async Task A_probe_that_throws_costs_the_driver_the_function_and_the_next_one_takes_it()
    {
        using var plugins = new PluginFolder().Add("good").Add("throwing-probe");
        await using var services = Compose(plugins);
        var match = await Host(services).ExplainAsync(MakesProbeThrow.Address, null, TestContext.Current.CancellationToken);

        Assert.Equal("good-vfio-pci", match.Driver);
        Assert.Equal(CandidateVerdict.Failed, match.Candidates[0].Verdict);
        Assert.Equal("its probe threw InvalidOperationException: the firmware has no manners", match.Candidates[0].Reason);
    }

    [Fact]
    public async Task A_probe_that_hangs_is_skipped_in_time_and_its_driver_is_not_asked_again()
    {
        using var plugins = new PluginFolder().Add("good").Add("hanging-probe");
        await using var services = Compose(plugins, o => o.ProbeTimeout = TimeSpan.FromMilliseconds(300));
        var match = await Host(services).ExplainAsync(MakesProbeHang.Address, null, TestContext.Current.CancellationToken);
        Assert.Equal("good-vfio-pci", match.Driver);
        Assert.Equal(CandidateVerdict.Failed, match.Candidates[0].Verdict);
        Assert.Contains(
            "did not answer within 0.3 s, and went on when it was told to stop", match.Candidates[0].Reason, StringComparison.Ordinal);

        match = await Host(services).ExplainAsync(MakesProbeHang.Address, "hanging-probe-vfio-pci", TestContext.Current.CancellationToken);
        Assert.Null(match.Driver);
        Assert.StartsWith("not asked again", match.Candidates[0].Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Migration")]
    [InlineData("Profiles.Current")]
    public async Task A_device_that_hangs_when_it_is_asked_what_it_can_do_is_skipped_in_time(string member)
    {
        using var leave = new ManualResetEventSlim();
        var services = new ServiceCollection();
        services.AddVfio(o => o.ProbeTimeout = TimeSpan.FromMilliseconds(300));
        services.AddSingleton<IFunctionSource>(new FakeSource(Plain));
        services.AddSingleton<VariantDriver>(new HangingDriver(member, leave));
        await using var provider = services.BuildServiceProvider();
        try
        {
            // What it would hang is the caller: it must not be the test.
            var match = await Task.Run(
                () => Host(provider).ExplainAsync(Plain.Address, null, TestContext.Current.CancellationToken).AsTask(),
                TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
            Assert.Equal("vfio-pci", match.Driver);
            Assert.Equal(CandidateVerdict.Failed, match.Candidates[0].Verdict);
            Assert.Contains("did not answer within 0.3 s", match.Candidates[0].Reason, StringComparison.Ordinal);
        }
        finally
        {
            leave.Set();
        }
    }

    private sealed class HangingDriver(string member, ManualResetEventSlim leave) : VariantDriver
    {
        public override string Name => "hanging-getter";

        public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1 }];

        public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
            => new(ProbeResult.Bound(new Device(member, leave)));

        private sealed class Device(string member, ManualResetEventSlim leave) : VfioDevice, IProfiles
        {
            public override IMigration? Migration => member == nameof(Migration) ? Hang<IMigration>() : null;

            public override IProfiles? Profiles => member == "Profiles.Current" ? this : null;

            public IReadOnlyList<string> Available => [IProfiles.Native];

            public string Current => Hang<string>() ?? IProfiles.Native;

            public override DeviceInfo Info => new(DeviceFlags.Pci, 9, 5);

            public VfioResult Select(string name) => VfioResult.Success;

            public override VfioResult<RegionInfo> GetRegionInfo(int region) => RegionInfo.Absent;

            public override VfioResult<IrqInfo> GetIrqInfo(int index) => Errno.EINVAL;

            public override ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
                => new(VfioResult.Success);

            public override ValueTask CloseAsync(ResetCause cause) => default;

            public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination) => Errno.EIO;

            public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source) => Errno.EIO;

            public override VfioResult<int> SetIrqs(in IrqSet set) => Errno.EIO;

            public override ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
                => new(VfioResult.Success);

            private T? Hang<T>()
                where T : class
            {
                leave.Wait();
                return null;
            }
        }
    }

    [Fact]
    public async Task A_named_driver_is_the_only_one_asked()
    {
        using var plugins = new PluginFolder().Add("good").Add("throwing-probe");
        await using var services = Compose(plugins);
        var match = await Host(services).ExplainAsync(
            MakesProbeThrow.Address, "throwing-probe-vfio-pci", TestContext.Current.CancellationToken);
        Assert.Null(match.Driver);
        Assert.Contains("the firmware has no manners", match.Reason, StringComparison.Ordinal);

        match = await Host(services).ExplainAsync(Plain.Address, "vfio-pci", TestContext.Current.CancellationToken);
        Assert.Equal("vfio-pci", match.Driver);

        match = await Host(services).ExplainAsync(Plain.Address, "nonesuch", TestContext.Current.CancellationToken);
        Assert.Null(match.Driver);
        Assert.Contains("there are good-vfio-pci, throwing-probe-vfio-pci, vfio-pci", match.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_linked_driver_comes_before_an_equal_plugin_and_keeps_its_name()
    {
        using var plugins = new PluginFolder().Add("good");
        await using var services = Compose(plugins, configure: null, builder => builder.AddDriver<LinkedDriver>());
        var host = Host(services);
        var match = await host.ExplainAsync(Plain.Address, null, TestContext.Current.CancellationToken);

        Assert.Equal("good-vfio-pci", match.Driver);
        Assert.Equal("linked", match.Candidates[0].Origin);
        Assert.Equal(PluginState.Refused, Assert.Single(host.Plugins).State);
        Assert.Contains("linked into the host", host.Plugins[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_device_for_two_functions_is_a_lie()
    {
        await using var services = Compose(null, configure: null, builder => builder.AddDriver<OneDeviceForAll>());
        var host = Host(services);
        Assert.Equal("one-device", (await host.ExplainAsync(Plain.Address, null, TestContext.Current.CancellationToken)).Driver);
        var second = await host.ExplainAsync(MakesReadThrow.Address, null, TestContext.Current.CancellationToken);
        Assert.Equal("vfio-pci", second.Driver);
        Assert.Contains("had answered before, for 0000:01:00.0", second.Candidates[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_is_found_by_the_unique_end_of_its_address()
    {
        await using var services = Compose(null);
        var host = Host(services);
        await host.StartAsync(TestContext.Current.CancellationToken);
        Assert.Equal(MakesProbeThrow.Address, host.Find("00.4").Address);
        Assert.Equal(MakesProbeThrow.Address, host.Find("0000:01:00.4").Address);
        Assert.Equal(MakesProbeThrow.Address, host.Find("01:00.4").Address);
        Assert.Equal(Errno.ENODEV, Assert.Throws<VfioException>(() => host.Find("7")).Error);
        var ambiguous = Assert.Throws<VfioException>(() => host.Find(""));
        Assert.Equal(Errno.EINVAL, ambiguous.Error);
        Assert.Contains("0000:01:00.0, 0000:01:00.4", ambiguous.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_of_two_sources_is_a_fault_of_the_set_up()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IFunctionSource>(new FakeSource(Plain)).AddSingleton<IFunctionSource>(new FakeSource(Plain)).AddVfio();
        await using var provider = services.BuildServiceProvider();
        var error = await Assert.ThrowsAsync<VfioException>(
            () => Host(provider).StartAsync(TestContext.Current.CancellationToken).AsTask());
        Assert.Equal(Errno.EEXIST, error.Error);
    }

    internal static ServiceProvider Compose(
        PluginFolder? plugins, Action<VfioHostOptions>? configure = null, Action<IVfioBuilder>? more = null)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IFunctionSource>(new FakeSource(Plain, MakesProbeThrow, MakesProbeHang, MakesReadThrow));
        var builder = services.AddVfio(configure);
        if (plugins is not null)
            builder.AddPlugins(plugins.Path);
        more?.Invoke(builder);
        return services.BuildServiceProvider();
    }

    internal static IVfioHost Host(IServiceProvider services) => services.GetRequiredService<IVfioHost>();

    private sealed class LinkedDriver : VariantDriver
    {
        public override string Name => "good-vfio-pci";

        public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1 }];

        public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
            => new(ProbeResult.Bound(new VfioPciDevice(context.Core)));
    }

    private sealed class OneDeviceForAll : VariantDriver
    {
        private readonly FakeDevice _device = new();

        public override string Name => "one-device";

        public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0xF1F1 }];

        public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
            => new(ProbeResult.Bound(_device));
    }
}
