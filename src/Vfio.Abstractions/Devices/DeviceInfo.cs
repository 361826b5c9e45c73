namespace Vfio;

/// <summary>What a device says of itself. Source: <c>struct vfio_device_info</c>.</summary>
/// <param name="Flags">Which kind of device, and whether it can be reset.</param>
/// <param name="RegionCount">Number of regions; 9 and the device-specific ones for PCI.</param>
/// <param name="IrqCount">Number of IRQ indexes; 5 for PCI.</param>
public readonly record struct DeviceInfo(DeviceFlags Flags, int RegionCount, int IrqCount);

/// <summary>VFIO_DEVICE_FLAGS_*.</summary>
[Flags]
public enum DeviceFlags : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The device can be reset.</summary>
    Reset = 1,

    /// <summary>A PCI device: the region and IRQ indexes are PCI's.</summary>
    Pci = 2,

    /// <summary>The info carries capabilities.</summary>
    Capabilities = 0x80,
}
