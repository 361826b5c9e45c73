namespace Vfio.OracleReplay.Rows;

/// <summary>Every kind of row that recordings hold.</summary>
internal static class RowKinds
{
    public static IReadOnlyList<RowKind> All { get; } =
    [
        new("raw_config", _ => new GivenRow("it is the hardware itself, and the replay's function is made of it")),
        new("raw_config_open", replay => new RawConfigOpenRow(replay)),
        new("virtual_config", replay => new VirtualConfigRow(replay)),
        new("config_width", replay => new ConfigWidthRow(replay)),
        new("config_write", replay => new ConfigWriteRow(replay)),
        new("device_info", replay => new DeviceInfoRow(replay),
            "argsz and cap_offset: the room that the recorder gave, and the server's own"),
        new("region_info", replay => new RegionInfoRow(replay),
            "offset and argsz: where the kernel's file has a region, and the recorder's room; a BAR's size is given, not compared"),
        new("irq_info", replay => new IrqInfoRow(replay)),
        new("hot_reset_info", replay => new HotResetInfoRow(replay),
            "flags: the recorder opened by group; who shares the function's bus is given by this row, not compared"),
        new("feature_probe", replay => new FeatureProbeRow(replay)),
        new("short_argsz", replay => new ShortArgszRow(replay)),
        new("set_irqs", replay => new SetIrqsRow(replay)),
        new("irq_script", replay => new IrqScriptRow(replay)),
        new("region_read", replay => new RegionReadRow(replay)),
        new("reset", replay => new ResetRow(replay)),
        new("after_reset", replay => new AfterResetRow(replay)),
        new("dma", replay => new DmaRow(replay), "unmapped, where a call failed: the kernel then leaves what the recorder had put there"),
        new("end", _ => new GivenRow("it marks the end of a function's rows")),
    ];

    public static RowKind? Find(string name) => All.FirstOrDefault(kind => kind.Name == name);
}

/// <summary>A kind of row.</summary>
/// <param name="Name">As recordings have it.</param>
/// <param name="Begin">Begins the rows of this kind for one function.</param>
/// <param name="LeftOut">The fields that are not compared though the row is, and why; null for none.</param>
internal sealed record RowKind(string Name, Func<DeviceReplay, RowReplay> Begin, string? LeftOut = null);
