using Microsoft.Extensions.Logging.Abstractions;

namespace Vfio.Plugin.Nvme.Tests;

public sealed class ProbeTests
{
    private readonly FakeController _controller = new();

    [Fact]
    public void It_matches_every_NVMe_function_in_vfio_mode_and_nothing_else()
    {
        var id = Assert.Single(new NvmeVariantDriver().Ids);
        Assert.Equal("vfio_pci:v*d*sv*sd*bc01sc08i02", id.ToString());
        Assert.True(id.Matches(new(0x8086, 0x1457, 0, 0, 0x010802, 0)));
        Assert.False(id.Matches(new(0x8086, 0x1457, 0, 0, 0x010803, 0)));
    }

    [Fact]
    public async Task An_online_VF_is_bound_to_its_secondary_controller()
    {
        _controller.Secondaries.AddRange([(7, true, 1), (9, true, 2)]);
        var result = await ProbeAsync(1);
        Assert.Equal(ProbeOutcome.Bound, result.Outcome);
        Assert.Contains(new("secondary controller", "9, online"), result.Device!.Describe());
        Assert.Contains(new("controlling function", "0000:3b:00.0"), result.Device!.Describe());
    }

    [Fact]
    public async Task A_VF_behind_the_first_page_of_the_list_is_found()
    {
        _controller.Secondaries.AddRange(Enumerable.Range(1, 200).Select(i => ((ushort)i, true, (ushort)i)));
        Assert.Equal(ProbeOutcome.Bound, (await ProbeAsync(179)).Outcome);
        Assert.Equal(2, _controller.Commands);
    }

    [Fact]
    public async Task A_physical_function_is_refused()
    {
        var result = await ProbeAsync(-1);
        Assert.Equal(ProbeOutcome.Refused, result.Outcome);
        Assert.Contains("physical function", result.Reason, StringComparison.Ordinal);
        Assert.Equal(0, _controller.Commands);
    }

    [Fact]
    public async Task A_VF_without_a_controller_is_passed_through_and_says_so()
    {
        _controller.Known = false;
        AssertDegraded(await ProbeAsync(0), "no controlling function is known");
        _controller.Known = true;
        _controller.HasChannel = false;
        AssertDegraded(await ProbeAsync(0), "0000:3b:00.0 offers no command channel");
        _controller.HasChannel = true;
        AssertDegraded(await ProbeAsync(0), "has no secondary controller for VF 0");
        _controller.Error = Errno.EIO;
        AssertDegraded(await ProbeAsync(0), "did not answer Identify CNS 15h (EIO)");
        _controller.Error = Errno.None;
        _controller.Status = 0x002;
        AssertDegraded(await ProbeAsync(0), "refused Identify CNS 15h with status 002h");
    }

    [Fact]
    public async Task An_offline_VF_does_not_open_until_it_is_online()
    {
        _controller.Secondaries.Add((7, false, 1));
        var result = await ProbeAsync(0);
        AssertDegraded(result, "offline: secondary controller 7 has 3 queue and 2 interrupt resources");
        var context = new VfioOpenContext { Dma = new DmaSpace() };
        Assert.Equal(Errno.ENODEV, (await result.Device!.OpenAsync(context, TestContext.Current.CancellationToken)).Error);

        _controller.Secondaries[0] = (7, true, 1);
        Assert.Equal(Errno.None, (await result.Device!.OpenAsync(context, TestContext.Current.CancellationToken)).Error);
        Assert.Contains(new("secondary controller", "7, online"), result.Device!.Describe());
    }

    [Fact]
    public async Task A_VF_that_went_offline_since_it_was_probed_does_not_open()
    {
        _controller.Secondaries.Add((7, true, 1));
        var result = await ProbeAsync(0);
        _controller.Secondaries[0] = (7, false, 1);
        Assert.Equal(
            Errno.ENODEV, (await result.Device!.OpenAsync(new() { Dma = new DmaSpace() }, TestContext.Current.CancellationToken)).Error);
    }

    private ValueTask<ProbeResult> ProbeAsync(int virtualFunctionIndex)
        => new NvmeVariantDriver().ProbeAsync(
            new() { Core = new FakeCore(virtualFunctionIndex), Controllers = _controller, Logger = NullLogger.Instance },
            TestContext.Current.CancellationToken);

    private static void AssertDegraded(ProbeResult result, string reason)
    {
        Assert.Equal(ProbeOutcome.Degraded, result.Outcome);
        Assert.NotNull(result.Device);
        Assert.Contains(reason, result.Reason, StringComparison.Ordinal);
    }
}
