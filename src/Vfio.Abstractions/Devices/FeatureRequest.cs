using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>A VFIO_DEVICE_FEATURE request: which feature, and what is wanted of it.</summary>
/// <param name="Id">Feature id, bits 15:0 of the flags.</param>
/// <param name="Operation">What is wanted.</param>
public readonly record struct FeatureRequest(int Id, FeatureOperation Operation)
{
    private const uint IdMask = 0xFFFF;

    /// <summary>
    /// The eventfd that the data names by a number of the client's own; null if none came along. It stays the caller's: a device that keeps
    /// it duplicates it.
    /// </summary>
    public SafeFileHandle? EventFd { get; init; }

    /// <summary>Takes the flags word apart.</summary>
    /// <param name="flags">The flags of <c>struct vfio_device_feature</c>.</param>
    /// <returns>The request; EINVAL for unknown bits, or for GET with SET and no PROBE.</returns>
    public static VfioResult<FeatureRequest> FromFlags(uint flags)
    {
        var operation = (FeatureOperation)(flags & ~IdMask);
        const FeatureOperation Known = FeatureOperation.Get | FeatureOperation.Set | FeatureOperation.Probe;
        if ((operation & ~Known) != 0)
            return Errno.EINVAL;
        const FeatureOperation Both = FeatureOperation.Get | FeatureOperation.Set;
        if ((operation & Both) == Both && !operation.HasFlag(FeatureOperation.Probe))
            return Errno.EINVAL;
        return new FeatureRequest((int)(flags & IdMask), operation);
    }

    /// <summary>The kernel's check of a feature that is present (<c>vfio_check_feature</c>).</summary>
    /// <param name="supported">GET, SET or both: what the feature can do.</param>
    /// <param name="length">The bytes of data that came along.</param>
    /// <param name="minimum">The bytes that the feature needs.</param>
    /// <returns>True: carry it out. False: a probe, which is answered with success and no data. EINVAL otherwise.</returns>
    public VfioResult<bool> Check(FeatureOperation supported, int length, int minimum)
    {
        var asked = Operation & (FeatureOperation.Get | FeatureOperation.Set);
        if ((asked & ~supported) != 0)
            return Errno.EINVAL;
        if (Operation.HasFlag(FeatureOperation.Probe))
            return false;
        if (asked == 0 || length < minimum)
            return Errno.EINVAL;
        return true;
    }
}

/// <summary>VFIO_DEVICE_FEATURE_GET, _SET and _PROBE, at their places in the flags word.</summary>
[Flags]
public enum FeatureOperation : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Read the feature.</summary>
    Get = 1 << 16,

    /// <summary>Write the feature.</summary>
    Set = 1 << 17,

    /// <summary>Ask whether the feature is there and can do the operations named with it.</summary>
    Probe = 1 << 18,
}

/// <summary>Feature ids. Source: <c>include/uapi/linux/vfio.h</c>, VFIO_DEVICE_FEATURE_*.</summary>
public static class FeatureId
{
    /// <summary>PCI_VF_TOKEN.</summary>
    public const int VfToken = 0;

    /// <summary>MIGRATION.</summary>
    public const int Migration = 1;

    /// <summary>MIG_DEVICE_STATE.</summary>
    public const int MigrationDeviceState = 2;

    /// <summary>LOW_POWER_ENTRY.</summary>
    public const int LowPowerEntry = 3;

    /// <summary>LOW_POWER_ENTRY_WITH_WAKEUP.</summary>
    public const int LowPowerEntryWithWakeup = 4;

    /// <summary>LOW_POWER_EXIT.</summary>
    public const int LowPowerExit = 5;

    /// <summary>DMA_LOGGING_START.</summary>
    public const int DmaLoggingStart = 6;

    /// <summary>DMA_LOGGING_STOP.</summary>
    public const int DmaLoggingStop = 7;

    /// <summary>DMA_LOGGING_REPORT.</summary>
    public const int DmaLoggingReport = 8;

    /// <summary>MIG_DATA_SIZE.</summary>
    public const int MigrationDataSize = 9;

    /// <summary>BUS_MASTER.</summary>
    public const int BusMaster = 10;

    /// <summary>DMA_BUF.</summary>
    public const int DmaBuf = 11;

    /// <summary>MIG_PRECOPY_INFOv2.</summary>
    public const int MigrationPrecopyInfoV2 = 12;
}
