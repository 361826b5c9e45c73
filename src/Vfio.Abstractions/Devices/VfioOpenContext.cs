namespace Vfio;

/// <summary>With what a device is opened.</summary>
public sealed record VfioOpenContext
{
    /// <summary>The memory that the device's DMA reaches for as long as it is open.</summary>
    public required IDmaSpace Dma { get; init; }
}
