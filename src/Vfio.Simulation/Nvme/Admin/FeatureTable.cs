using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>A feature as data.</summary>
/// <param name="Id">Its identifier.</param>
/// <param name="Default">Its value after a reset.</param>
/// <param name="Writable">The bits that a host can set; others read 0.</param>
/// <param name="Selector">The bits of dword 11 that choose one of several values, and are no part of the value.</param>
/// <param name="IsPerNamespace">Whether each namespace has its own.</param>
internal sealed record FeatureDescription(NvmeFeature Id, uint Default, uint Writable, uint Selector = 0, bool IsPerNamespace = false)
{
    private const uint Changeable = 1 << 2, NamespaceSpecific = 1 << 1;

    /// <summary>What Get Features answers when asked for capabilities: nothing is saveable.</summary>
    internal uint Capabilities => Changeable | (IsPerNamespace ? NamespaceSpecific : 0);
}

/// <summary>The features of these controllers. Source: NVM Express Base Specification 1.4, 5.21.1.</summary>
internal static class FeatureTable
{
    /// <summary>TMPSEL and THSEL.</summary>
    internal const uint ThresholdSelector = 0x3F_0000;
    internal const uint ThresholdUnder = 1 << 20;
    internal const uint ThresholdSensors = 0xF_0000;
    private const ushort WarningTemperature = 343;

    private static readonly FeatureDescription[] All =
    [
        new(NvmeFeature.Arbitration, 0, 0xFFFF_FF07),
        new(NvmeFeature.PowerManagement, 0, 0xFF),
        new(NvmeFeature.TemperatureThreshold, WarningTemperature, 0xFFFF, ThresholdSelector),
        new(NvmeFeature.ErrorRecovery, 0, 0xFFFF, IsPerNamespace: true),
        new(NvmeFeature.VolatileWriteCache, 1, 1),
        new(NvmeFeature.NumberOfQueues, 0, 0),
        new(NvmeFeature.InterruptCoalescing, 0, 0xFFFF),
        new(NvmeFeature.InterruptVector, 0, 0x1_0000, Selector: 0xFFFF),
        new(NvmeFeature.WriteAtomicity, 0, 1),
        new(NvmeFeature.AsyncEvents, 0, 0x1FF),
        new(NvmeFeature.Timestamp, 0, 0),
    ];

    internal static FeatureDescription? Find(NvmeFeature id) => Array.Find(All, f => f.Id == id);
}
