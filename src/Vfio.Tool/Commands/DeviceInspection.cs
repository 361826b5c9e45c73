using System.Globalization;
using Vfio.Hosting;
using Vfio.Tool.Config;

namespace Vfio.Tool.Commands;

/// <summary>Reads what there is to show of an open device, through the device and nothing else.</summary>
internal static class DeviceInspection
{
    private static readonly (int Id, string Name, FeatureOperation Operation)[] Features =
    [
        (FeatureId.VfToken, "vf-token", FeatureOperation.Set),
        (FeatureId.LowPowerEntry, "low-power-entry", FeatureOperation.Set),
        (FeatureId.LowPowerEntryWithWakeup, "low-power-entry-with-wakeup", FeatureOperation.Set),
        (FeatureId.LowPowerExit, "low-power-exit", FeatureOperation.Set),
        (FeatureId.BusMaster, "bus-master", FeatureOperation.Set),
        (FeatureId.DmaBuf, "dma-buf", FeatureOperation.Get),
    ];

    public static async Task<ShownFunction> InspectAsync(
        IPciFunction function, OpenedDevice opened, FunctionMatch match, bool hex, CancellationToken cancellationToken)
    {
        var device = opened.Device;
        var config = ConfigSpace.Read(device);
        return new(
            function.Address.ToString(),
            ListedFunction.KindOf(function),
            function.PhysicalFunction?.ToString(),
            FunctionIds.From(function.Id),
            function.Model,
            opened.Driver,
            opened.Degraded,
            device.Profiles?.Current ?? IProfiles.Native,
            config.Header(),
            config.Capabilities(),
            Regions(device, config),
            Irqs(device),
            device.GetHotResetInfo() is { IsSuccess: true, Value: { } reset } ? [.. reset.Devices.Select(d => d.Address.ToString())] : [],
            [.. Features.Where(
                f => device.Feature(new(f.Id, f.Operation | FeatureOperation.Probe), default, default).IsSuccess).Select(f => f.Name)],
            match.Migration,
            await ShownMigration.OfAsync(device.MigrationOps, cancellationToken).ConfigureAwait(false),
            [.. device.Describe()],
            hex ? Convert.ToHexStringLower(config.Bytes) : null);
    }

    private static List<ShownRegion> Regions(VfioDevice device, ConfigSpace config)
    {
        var regions = new List<ShownRegion>();
        for (var index = 0; index < device.Info.RegionCount; index++)
        {
            var info = device.GetRegionInfo(index);
            if (!info.IsSuccess || info.Value.Size == 0)
                continue;
            var bar = index <= RegionIndex.Bar5 ? config.Bar(index) : (uint?)null;
            regions.Add(new(
                index,
                Name(index),
                info.Value.Size,
                info.Value.Flags.ToString(),
                bar is { } low ? Kind(low) : null,
                bar is { } from ? $"0x{Base(config, index, from):x}" : null,
                info.Value.Flags.HasFlag(RegionFlags.Mmap) ? info.Value.SparseAreas ?? [new(0, info.Value.Size)] : null));
        }

        return regions;
    }

    private static List<ShownIrq> Irqs(VfioDevice device)
    {
        var irqs = new List<ShownIrq>();
        for (var index = 0; index < device.Info.IrqCount; index++)
        {
            var info = device.GetIrqInfo(index);
            if (info.IsSuccess && info.Value.Count > 0)
                irqs.Add(new(((IrqIndex)index).ToString(), info.Value.Count, info.Value.Flags.ToString()));
        }

        return irqs;
    }

    private static string Name(int region) => region switch
    {
        <= RegionIndex.Bar5 => string.Create(CultureInfo.InvariantCulture, $"BAR {region}"),
        RegionIndex.Rom => "Expansion ROM",
        RegionIndex.Config => "Configuration space",
        RegionIndex.Vga => "VGA",
        _ => string.Create(CultureInfo.InvariantCulture, $"Region {region}"),
    };

    // Source: PCI Express Base Specification 6.0, 7.5.1.2.1.
    private static string Kind(uint bar) => (bar & 1) != 0
        ? "I/O"
        : $"Memory, {((bar & 6) == 4 ? "64-bit" : "32-bit")}, {((bar & 8) != 0 ? "prefetchable" : "non-prefetchable")}";

    private static ulong Base(ConfigSpace config, int index, uint low) => (low & 1) != 0
        ? low & ~3u
        : (low & 6) == 4 && index < RegionIndex.Bar5 ? ((ulong)config.Bar(index + 1) << 32) | (low & ~15u) : low & ~15u;
}
