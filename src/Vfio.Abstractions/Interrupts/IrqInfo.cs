namespace Vfio;

/// <summary>What an IRQ index is. Source: <c>struct vfio_irq_info</c>.</summary>
/// <param name="Flags">What may be done with it.</param>
/// <param name="Count">Number of interrupts; 0 for an index that the device lacks.</param>
public readonly record struct IrqInfo(IrqFlags Flags, uint Count)
{
    /// <summary>How many IRQ indexes a PCI device has.</summary>
    public const int IndexCount = 5;
}

/// <summary>VFIO_IRQ_INFO_*.</summary>
[Flags]
public enum IrqFlags : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Delivered through eventfds.</summary>
    EventFd = 1,

    /// <summary>Can be masked.</summary>
    Maskable = 2,

    /// <summary>Masks itself when it fires.</summary>
    Automasked = 4,

    /// <summary>Cannot grow once it is enabled: disable it and enable it anew.</summary>
    NoResize = 8,
}
