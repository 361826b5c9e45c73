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

    /// <summary>
    /// The token that a PF's user and those of its VFs share (VFIO_DEVICE_FEATURE_PCI_VF_TOKEN). A VF needs it while its PF is open or has
    /// been given one, a PF while a VF of it is open; elsewhere it is an error. Null for none.
    /// </summary>
    public Guid? VfToken { get; init; }

    /// <summary>
    /// Whether a served device stays open between its clients, with its state (<see cref="Vfio.User.VfioUserServerOptions.KeepOpen"/>).
    /// Such a device is not given back by a client that goes: asking for its release ends where the asking does.
    /// </summary>
    public bool KeepOpen { get; init; }
}
