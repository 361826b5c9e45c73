namespace Vfio;

/// <summary>With what a device is opened.</summary>
public sealed record VfioOpenContext
{
    /// <summary>The memory that the device's DMA reaches for as long as it is open.</summary>
    public required IDmaSpace Dma { get; init; }

    /// <summary>
    /// The token that a PF and its VFs share while both are in use (VFIO_DEVICE_FEATURE_PCI_VF_TOKEN); null if the opener has none.
    /// </summary>
    public Guid? VfToken { get; init; }
}
