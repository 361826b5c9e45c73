namespace Vfio.OracleReplay.Rows;

/// <summary>Every kind of row that recordings hold.</summary>
internal static class RowKinds
{
    public static IReadOnlyList<RowKind> All { get; } =
    [
        new("raw_config", [], _ => new GivenRow("it is the hardware itself, and the replay's function is made of it")) { Usual = 1 },
        new("raw_config_open", [], replay => new RawConfigOpenRow(replay)) { Usual = 1 },
        new("virtual_config", [], replay => new VirtualConfigRow(replay)) { Usual = 1 },
        new("config_width", ["offset", "width"], replay => new ConfigWidthRow(replay)) { Usual = 31 },
        // How many depends on what writes changed.
        new("config_write", ["offset", "width", "value"], replay => new ConfigWriteRow(replay)),
        new("device_info", [], replay => new DeviceInfoRow(replay))
        {
            Usual = 1, LeftOut = "argsz and cap_offset: the room that the recorder gave, and the server's own",
        },
        new("region_info", ["index"], replay => new RegionInfoRow(replay))
        {
            Usual = 10, LeftOut = "offset and argsz: where the kernel's file has a region, and the recorder's room",
        },
        new("irq_info", ["index"], replay => new IrqInfoRow(replay)) { Usual = 6 },
        new("hot_reset_info", [], replay => new HotResetInfoRow(replay))
        {
            Usual = 1,
            LeftOut = "flags: the recorder opened by group; how many share the function's bus is given by this row, not compared",
        },
        new("feature_probe", ["feature", "get", "set"], replay => new FeatureProbeRow(replay)) { Usual = 48 },
        new("short_argsz", ["call"], replay => new ShortArgszRow(replay)) { Usual = 5 },
        new("set_irqs", ["index", "flags", "start", "count", "payload"], replay => new SetIrqsRow(replay)) { Usual = 1704 },
        new("irq_script", ["index"], replay => new IrqScriptRow(replay)) { Usual = 5 },
        // Both ends of a region that is not there are the same.
        new("region_read", ["index", "enabled", "from_end", "offset", "width"], replay => new RegionReadRow(replay))
        {
            Usual = 672, MayRepeat = true,
        },
        new("reset", [], replay => new ResetRow(replay)) { Usual = 1 },
        new("after_reset", [], replay => new AfterResetRow(replay)) { Usual = 1 },
        new("dma", ["step"], replay => new DmaRow(replay)) { Usual = 24 },
        new("end", [], _ => new GivenRow("it marks the end of a function's rows")) { Usual = 1 },
    ];

    public static RowKind? Find(string name) => All.FirstOrDefault(kind => kind.Name == name);
}

/// <summary>A kind of row.</summary>
/// <param name="Name">As recordings have it.</param>
/// <param name="Inputs">The fields that say what was done; the others are the answer.</param>
/// <param name="Begin">Begins the rows of this kind for one function.</param>
internal sealed record RowKind(string Name, IReadOnlyList<string> Inputs, Func<DeviceReplay, RowReplay> Begin)
{
    /// <summary>How many the recorder makes of each function; 0 where that differs.</summary>
    public int Usual { get; init; }

    /// <summary>Whether the recorder does the same twice.</summary>
    public bool MayRepeat { get; init; }

    /// <summary>The fields that are not compared though the row is, and why; null for none.</summary>
    public string? LeftOut { get; init; }
}
