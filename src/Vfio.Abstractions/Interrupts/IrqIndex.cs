namespace Vfio;

/// <summary>IRQ indexes of a PCI device. Source: <c>include/uapi/linux/vfio.h</c>, VFIO_PCI_*_IRQ_INDEX.</summary>
public enum IrqIndex
{
    /// <summary>The level-triggered pin.</summary>
    Intx = 0,

    /// <summary>Message signalled interrupts.</summary>
    Msi = 1,

    /// <summary>MSI-X.</summary>
    Msix = 2,

    /// <summary>An uncorrectable error was detected.</summary>
    Error = 3,

    /// <summary>The host wants the device back.</summary>
    Request = 4,
}
