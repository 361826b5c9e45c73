using System.Buffers.Binary;
using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Core;
using Vfio.Simulation;

namespace Vfio.Plugin.Nvme.Tests;

/// <summary>The driver over the real core and the simulated subsystem: nothing here is a fake.</summary>
public sealed class EndToEndTests : IControllingFunctions, IAsyncDisposable
{
    private const ulong Configuration = 0x14, Status = 0x1C;
    private const int PhysicalFunction = 0, FirstVf = 1, SecondVf = 2;
    private SimulatedTopology _topology = new(TopologyDefinition.Default);

    public IControllingFunction? Of(PciAddress controlled) => _topology.ControllerOf(controlled);

    public ValueTask DisposeAsync() => _topology.DisposeAsync();

    [Fact]
    public async Task A_VF_is_bound_to_the_secondary_controller_that_its_PF_names()
    {
        var result = await ProbeAsync(SecondVf);
        Assert.Equal(ProbeOutcome.Bound, result.Outcome);
        Assert.Contains(new("secondary controller", "2, online"), result.Device!.Describe());
        Assert.Equal(ProbeOutcome.Refused, (await ProbeAsync(PhysicalFunction)).Outcome);
    }

    [Fact]
    public async Task A_guest_FLR_reaches_the_driver_with_its_cause_and_resets_the_controller()
    {
        var device = await OpenAsync(FirstVf);
        Write32(device, RegionIndex.Bar0, Configuration, 1);
        Assert.True(SpinWait.SpinUntil(() => (Read32(device, RegionIndex.Bar0, Configuration) & 1) == 1, TimeSpan.FromSeconds(5)));

        var control = ExpressCapability(device) + 8;
        var value = new byte[2];
        Assert.Equal(2, device.Read(RegionIndex.Config, control, value).Value);
        value[1] |= 0x80;
        Assert.Equal(2, device.Write(RegionIndex.Config, control, value).Value);

        Assert.Contains(device.Describe(), r => r.Key == "resets" && r.Value.Contains("PcieFlr 1", StringComparison.Ordinal));
        Assert.Equal(0u, Read32(device, RegionIndex.Bar0, Configuration));
        await device.CloseAsync(ResetCause.Close);
        Assert.Contains(device.Describe(), r => r.Key == "resets" && r.Value.EndsWith("last Close", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_write_of_NSSR_reaches_neither_the_VF_nor_its_neighbour()
    {
        var device = await OpenAsync(FirstVf);
        var neighbour = await OpenAsync(SecondVf);
        Write32(neighbour, RegionIndex.Bar0, Configuration, 0x00460000);
        Write32(device, RegionIndex.Bar0, 0x20, 0x4E564D65);
        Assert.Equal(0x00460000u, Read32(neighbour, RegionIndex.Bar0, Configuration));
        Assert.Equal(0u, Read32(device, RegionIndex.Bar0, Status) & 0x10);
        Assert.Contains(new("subsystem resets dropped", "1"), device.Describe());
        Assert.Contains(new("subsystem resets dropped", "0"), neighbour.Describe());
        await device.CloseAsync(ResetCause.Close);
        await neighbour.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task With_polled_doorbells_the_doorbells_are_mappable_and_the_registers_are_not()
    {
        await _topology.DisposeAsync();
        _topology = new(TopologyDefinition.Default, new() { PollCpu = 0 });
        var device = await OpenAsync(FirstVf);
        var areas = device.GetRegionInfo(RegionIndex.Bar0).Value.SparseAreas;
        Assert.NotNull(areas);
        Assert.All(areas, a => Assert.True(a.Offset >= 0x1000));
        Assert.Contains(areas, a => a.Offset == 0x1000);
        Assert.Equal(areas, device.Map(RegionIndex.Bar0).Value.Areas);
        await device.CloseAsync(ResetCause.Close);
    }

    private async Task<ProbeResult> ProbeAsync(int index)
    {
        var functions = await _topology.DiscoverAsync(TestContext.Current.CancellationToken);
        return await new NvmeVariantDriver().ProbeAsync(
            new() { Core = new VfioPciCore(functions[index]), Controllers = this, Logger = NullLogger.Instance },
            TestContext.Current.CancellationToken);
    }

    private async Task<VfioDevice> OpenAsync(int index)
    {
        var device = (await ProbeAsync(index)).Device!;
        Assert.Equal(Errno.None, (await device.OpenAsync(new() { Dma = new DmaSpace() }, TestContext.Current.CancellationToken)).Error);
        return device;
    }

    private static ulong ExpressCapability(VfioDevice device)
    {
        for (var at = Read32(device, RegionIndex.Config, 0x34) & 0xFC; at != 0; at = (Read32(device, RegionIndex.Config, at) >> 8) & 0xFC)
        {
            if ((Read32(device, RegionIndex.Config, at) & 0xFF) == 0x10)
                return at;
        }

        throw new InvalidOperationException("no PCI Express capability");
    }

    private static uint Read32(VfioDevice device, int region, ulong offset)
    {
        Span<byte> value = stackalloc byte[sizeof(uint)];
        Assert.Equal(sizeof(uint), device.Read(region, offset, value).Value);
        return BinaryPrimitives.ReadUInt32LittleEndian(value);
    }

    private static void Write32(VfioDevice device, int region, ulong offset, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Assert.Equal(sizeof(uint), device.Write(region, offset, bytes).Value);
    }
}
