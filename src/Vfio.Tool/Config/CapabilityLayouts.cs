namespace Vfio.Tool.Config;

/// <summary>
/// The capabilities of the first 256 bytes that are decoded, by id. Sources: the PCI Express Base Specification 6.0, 7.5 and 7.7; PCI Local
/// Bus 3.0, 6.8.
/// </summary>
internal static class CapabilityLayouts
{
    private static readonly string[] PayloadSizes = ["128", "256", "512", "1024", "2048", "4096"];
    private static readonly string[] LinkSpeeds = ["?", "2.5GT/s", "5GT/s", "8GT/s", "16GT/s", "32GT/s", "64GT/s"];

    private static readonly Dictionary<int, CapabilityLayout> ById = new()
    {
        [0x01] = new(
            "Power Management",
            new("PMC", 2, 2, new("Version", 0, 3), new("PMEClk", 3), new("DSI", 5), new("D1", 9), new("D2", 10), new("PME", 11, 5)),
            new("PMCSR", 4, 2, new("State", 0, 2, ["D0", "D1", "D2", "D3hot"]), new("NoSoftRst", 3), new("PME-Enable", 8), new("PME-Status", 15))),
        [0x05] = new(
            "MSI",
            new(
                "Control",
                2,
                2,
                new("Enable", 0),
                new("Capable", 1, 3, ["1", "2", "4", "8", "16", "32"]),
                new("Enabled", 4, 3, ["1", "2", "4", "8", "16", "32"]),
                new("64bit", 7),
                new("Maskable", 8)),
            new("Address", 4, 4)),
        [0x09] = new("Vendor Specific", new RegisterField("Length", 2, 1)),
        [0x10] = new(
            "PCI Express",
            new(
                "Capabilities",
                2,
                2,
                new("Version", 0, 4),
                new("Type", 4, 4, ["Endpoint", "Legacy endpoint"]),
                new("Slot", 8),
                new("MSI", 9, 5)),
            new(
                "DevCap",
                4,
                4,
                new("MaxPayload", 0, 3, PayloadSizes),
                new("PhantFunc", 3, 2),
                new("ExtTag", 5),
                new("L0s", 6, 3),
                new("L1", 9, 3),
                new("RBE", 15),
                new("FLReset", 28)),
            new(
                "DevCtl",
                8,
                2,
                new("CorrErr", 0),
                new("NonFatalErr", 1),
                new("FatalErr", 2),
                new("UnsupReq", 3),
                new("RlxdOrd", 4),
                new("MaxPayload", 5, 3, PayloadSizes),
                new("ExtTag", 8),
                new("PhantFunc", 9),
                new("AuxPwr", 10),
                new("NoSnoop", 11),
                new("MaxReadReq", 12, 3, PayloadSizes),
                new("FLReset", 15)),
            new(
                "DevSta", 10, 2, new("CorrErr", 0), new("NonFatalErr", 1), new("FatalErr", 2), new("UnsupReq", 3), new("AuxPwr", 4), new("TransPend", 5)),
            new("LnkCap", 12, 4, new("Speed", 0, 4, LinkSpeeds), new("Width", 4, 6), new("ASPM", 10, 2), new("Port", 24, 8)),
            new("LnkSta", 18, 2, new("Speed", 0, 4, LinkSpeeds), new("Width", 4, 6)),
            new("DevCap2", 36, 4, new("CompletionTimeout", 0, 4), new("TimeoutDis", 4), new("ARIFwd", 5)),
            new("DevCtl2", 40, 2, new("CompletionTimeout", 0, 4), new("TimeoutDis", 4), new("ARIFwd", 5))),
        [0x11] = new(
            "MSI-X",
            new("Control", 2, 2, new("Enable", 15), new("FuncMask", 14), new("LastVector", 0, 11)),
            new("Table", 4, 4, new BitField("BAR", 0, 3)),
            new("PBA", 8, 4, new BitField("BAR", 0, 3))),
        [0x13] = new(
            "Advanced Features",
            new RegisterField("AFCap", 3, 1, new("TP", 0), new("FLR", 1)),
            new RegisterField("AFCtrl", 4, 1, new BitField("FLR", 0)),
            new RegisterField("AFStatus", 5, 1, new BitField("TP", 0))),
    };

    private static readonly Dictionary<int, string> OtherNames = new()
    {
        [0x02] = "AGP", [0x03] = "Vital Product Data", [0x04] = "Slot ID", [0x06] = "CompactPCI hot-swap", [0x07] = "PCI-X",
        [0x0D] = "Bridge subsystem", [0x12] = "SATA HBA", [0x14] = "Enhanced Allocation",
    };

    public static CapabilityLayout Get(int id)
        => ById.TryGetValue(id, out var layout) ? layout : new(OtherNames.GetValueOrDefault(id, $"Capability {id:x2}"));
}
