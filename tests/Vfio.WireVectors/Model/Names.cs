namespace Vfio.WireVectors.Model;

/// <summary>The names that stand for numbers in a vector file.</summary>
internal static class Names
{
    public static IReadOnlyDictionary<string, ushort> Commands { get; } = new Dictionary<string, ushort>
    {
        ["VERSION"] = 1, ["DMA_MAP"] = 2, ["DMA_UNMAP"] = 3, ["DEVICE_GET_INFO"] = 4, ["DEVICE_GET_REGION_INFO"] = 5,
        ["DEVICE_GET_REGION_IO_FDS"] = 6, ["DEVICE_GET_IRQ_INFO"] = 7, ["DEVICE_SET_IRQS"] = 8, ["REGION_READ"] = 9,
        ["REGION_WRITE"] = 10, ["DMA_READ"] = 11, ["DMA_WRITE"] = 12, ["DEVICE_RESET"] = 13, ["REGION_WRITE_MULTI"] = 15,
        ["DEVICE_FEATURE"] = 16, ["MIG_DATA_READ"] = 17, ["MIG_DATA_WRITE"] = 18,
    };

    /// <summary>Bits and indexes, by the kernel's and libvfio-user's names without their prefixes.</summary>
    public static IReadOnlyDictionary<string, ulong> Values { get; } = new Dictionary<string, ulong>
    {
        ["DATA_NONE"] = 1, ["DATA_BOOL"] = 2, ["DATA_EVENTFD"] = 4, ["ACTION_MASK"] = 8, ["ACTION_UNMASK"] = 0x10,
        ["ACTION_TRIGGER"] = 0x20,
        ["INTX"] = 0, ["MSI"] = 1, ["MSIX"] = 2, ["ERR"] = 3, ["REQ"] = 4,
        ["GET"] = 1 << 16, ["SET"] = 1 << 17, ["PROBE"] = 1 << 18,
        ["MIGRATION"] = 1, ["MIG_DEVICE_STATE"] = 2, ["DMA_LOGGING_START"] = 6, ["DMA_LOGGING_STOP"] = 7, ["DMA_LOGGING_REPORT"] = 8,
        ["STOP_COPY_SUPPORT"] = 1, ["PRE_COPY_SUPPORT"] = 4,
        ["READ"] = 1, ["WRITE"] = 2, ["MMAP"] = 4, ["FILE_IO"] = 8,
        ["GET_DIRTY_BITMAP"] = 1, ["ALL"] = 2,
    };

    public static IReadOnlyDictionary<string, uint> States { get; } = new Dictionary<string, uint>
    {
        ["ERROR"] = 0, ["STOP"] = 1, ["RUNNING"] = 2, ["STOP_COPY"] = 3, ["RESUMING"] = 4, ["RUNNING_P2P"] = 5, ["PRE_COPY"] = 6,
        ["PRE_COPY_P2P"] = 7,
    };

    /// <summary>What the set-ups' devices do at a write to their doorbell: README.md, "Set-ups".</summary>
    public static IReadOnlyDictionary<string, uint> DoorbellCommands { get; } = new Dictionary<string, uint>
    {
        ["interrupt"] = 1, ["write"] = 2, ["read"] = 3, ["hold"] = 4, ["release"] = 5, ["touch"] = 6, ["fail-steps"] = 7,
        ["fail-data"] = 8, ["forget-path"] = 9, ["be-busy"] = 10,
    };
}
