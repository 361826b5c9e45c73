namespace Vfio.Hosting;

/// <summary>How a function's device is to be had.</summary>
public sealed record DeviceOptions
{
    /// <summary>Only the driver of this name, whether its ids match or not; null for the best one.</summary>
    public string? Driver { get; init; }

    /// <summary>The profile to choose before it is opened; null for the one that is chosen.</summary>
    public string? Profile { get; init; }

    /// <summary>The memory that its DMA reaches; null for a space of its own, with nothing mapped, that ends with it.</summary>
    public DmaSpace? Dma { get; init; }
}
