using EmbeddedHost;
using Microsoft.Extensions.DependencyInjection;
using Vfio;
using Vfio.Hosting;

// A host of one's own: simulated functions, and a variant that is linked in place of a plugin.
var services = new ServiceCollection();
services.AddVfio().AddSimulation().AddDriver<SlicedDriver>();
await using var provider = services.BuildServiceProvider();
var host = provider.GetRequiredService<IVfioHost>();
await host.StartAsync();

var vf = host.Functions.First(f => f.VirtualFunctionIndex >= 0);
var match = await host.ExplainAsync(vf.Address);
foreach (var candidate in match.Candidates)
    Console.WriteLine($"{candidate.Driver} ({candidate.Origin}): {candidate.Verdict}");

// The host is its own client: it opens the device with memory of its own, and the device's DMA reaches that memory.
await using var opened = await host.OpenAsync(vf.Address);
if (!opened.Dma.Map(LocalMemory.Allocate(iova: 0x10000, size: 0x4000)).IsSuccess)
    return 1;

var device = opened.Device;
var bar0 = device.GetRegionInfo(RegionIndex.Bar0);
Console.WriteLine($"{vf.Address} is open; BAR 0 shows {bar0.Value.Size:x} of {vf.Bar(RegionIndex.Bar0)!.Size:x} bytes");

var id = new byte[4];
if (!device.Read(RegionIndex.Config, 0x2C, id).IsSuccess)
    return 1;
Console.WriteLine($"subsystem {BitConverter.ToUInt16(id):x4}:{BitConverter.ToUInt16(id, 2):x4}");

var version = new byte[4];
if (!device.Read(RegionIndex.Bar0, 0x08, version).IsSuccess)
    return 1;
Console.WriteLine($"register VS through BAR 0: {BitConverter.ToUInt32(version):x8}");
Console.WriteLine($"behind the slice: {device.Read(RegionIndex.Bar0, 0x2000, version).Error}");
return 0;
