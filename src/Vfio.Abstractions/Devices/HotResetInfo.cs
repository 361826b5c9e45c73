namespace Vfio;

/// <summary>
/// What a hot reset of a device would take with it. Source: <c>struct vfio_pci_hot_reset_info</c>, as a cdev's owner sees it.
/// </summary>
/// <param name="Devices">Every function of the slot or bus, in address order.</param>
public sealed record HotResetInfo(IReadOnlyList<HotResetDevice> Devices)
{
    /// <summary>Whether the caller owns all of them and so may reset (VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED).</summary>
    public bool IsOwned => Devices.All(device => device.DeviceId != HotResetDevice.NotOwned);
}

/// <summary>A function that a hot reset would take with it.</summary>
/// <param name="Address">Where it sits.</param>
/// <param name="DeviceId">
/// Above 0: it is open with the caller's memory. <see cref="Owned"/>: it is closed, and another of its IOMMU group is open with the
/// caller's memory. <see cref="NotOwned"/>: it is somebody else's, or no vfio device.
/// </param>
public readonly record struct HotResetDevice(PciAddress Address, int DeviceId)
{
    /// <summary>VFIO_PCI_DEVID_OWNED.</summary>
    public const int Owned = 0;

    /// <summary>VFIO_PCI_DEVID_NOT_OWNED.</summary>
    public const int NotOwned = -1;
}
