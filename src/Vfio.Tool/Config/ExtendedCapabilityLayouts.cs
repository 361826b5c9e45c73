namespace Vfio.Tool.Config;

/// <summary>
/// The extended capabilities that are decoded, by id. Source: the PCI Express Base Specification 6.0, 7.7 to 7.9 and 9.3.3.
/// </summary>
internal static class ExtendedCapabilityLayouts
{
    private static readonly BitField[] UncorrectableErrors =
    [
        new("DLP", 4), new("SDES", 5), new("TLP", 12), new("FCP", 13), new("CmpltTO", 14), new("CmpltAbrt", 15), new("UnxCmplt", 16),
        new("RxOF", 17), new("MalfTLP", 18), new("ECRC", 19), new("UnsupReq", 20), new("ACSViol", 21),
    ];

    private static readonly BitField[] CorrectableErrors =
        [new("RxErr", 0), new("BadTLP", 6), new("BadDLLP", 7), new("Rollover", 8), new("Timeout", 12), new("AdvNonFatalErr", 13)];

    private static readonly BitField[] AccessControl =
    [
        new("SrcValid", 0), new("TransBlk", 1), new("ReqRedir", 2), new("CmpltRedir", 3), new("UpstreamFwd", 4), new("EgressCtrl", 5),
        new("DirectTrans", 6),
    ];

    private static readonly Dictionary<int, CapabilityLayout> ById = new()
    {
        [0x01] = new(
            "Advanced Error Reporting",
            new("UESta", 4, 4, UncorrectableErrors),
            new("UEMsk", 8, 4, UncorrectableErrors),
            new("UESvrt", 12, 4, UncorrectableErrors),
            new("CESta", 16, 4, CorrectableErrors),
            new("CEMsk", 20, 4, CorrectableErrors),
            new("AERCap", 24, 4, new("FirstErrorPointer", 0, 5), new("ECRCGenCap", 5), new("ECRCGenEn", 6), new("ECRCChkCap", 7), new("ECRCChkEn", 8))),
        [0x03] = new("Device Serial Number", new RegisterField("Serial", 4, 8)),
        [0x0D] = new(
            "Access Control Services", new RegisterField("ACSCap", 4, 2, AccessControl), new RegisterField("ACSCtl", 6, 2, AccessControl)),
        [0x0E] = new(
            "Alternative Routing-ID Interpretation",
            new("ARICap", 4, 2, new("MFVC", 0), new("ACS", 1), new("NextFunction", 8, 8)),
            new("ARICtl", 6, 2, new("MFVC", 0), new("ACS", 1), new("FunctionGroup", 4, 3))),
        [0x0F] = new(
            "Address Translation Service",
            new("ATSCap", 4, 2, new BitField("InvalidateQueueDepth", 0, 5)),
            new("ATSCtl", 6, 2, new("Enable", 15), new("SmallestTranslationUnit", 0, 5))),
        [0x10] = new(
            "Single Root I/O Virtualization",
            new RegisterField("IOVCap", 4, 4, new("Migration", 0), new("10BitTagReq", 2)),
            new("IOVCtl", 8, 2, new("Enable", 0), new("Migration", 1), new("Interrupt", 2), new("MSE", 3), new("ARIHierarchy", 4)),
            new RegisterField("IOVSta", 10, 2, new BitField("Migration", 0)),
            new("Initial VFs", 12, 2),
            new("Total VFs", 14, 2),
            new("Number of VFs", 16, 2),
            new("Function Dependency Link", 18, 1),
            new("First VF Offset", 20, 2),
            new("VF Stride", 22, 2),
            new("VF Device ID", 26, 2),
            new("Supported Page Sizes", 28, 4),
            new("System Page Size", 32, 4)),
        [0x13] = new("Page Request Interface", new RegisterField("PRICtl", 4, 2, new("Enable", 0), new("Reset", 1))),
        [0x1B] = new(
            "Process Address Space ID", new RegisterField("PASIDCap", 4, 2, new("Exec", 1), new("Priv", 2), new("MaxWidth", 8, 5))),
    };

    private static readonly Dictionary<int, string> OtherNames = new()
    {
        [0x00] = "Null", [0x02] = "Virtual Channel", [0x04] = "Power Budgeting", [0x0B] = "Vendor Specific", [0x15] = "Resizable BAR",
        [0x16] = "Dynamic Power Allocation", [0x17] = "TPH Requester", [0x18] = "Latency Tolerance Reporting", [0x19] = "Secondary PCI Express",
        [0x1E] = "L1 PM Substates", [0x1F] = "Precision Time Measurement", [0x23] = "Designated Vendor-Specific", [0x25] = "Data Link Feature",
        [0x26] = "Physical Layer 16.0 GT/s", [0x27] = "Lane Margining",
    };

    public static CapabilityLayout Get(int id)
        => ById.TryGetValue(id, out var layout) ? layout : new(OtherNames.GetValueOrDefault(id, $"Extended capability {id:x4}"));
}
