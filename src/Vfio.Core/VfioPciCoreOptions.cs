namespace Vfio.Core;

/// <summary>What the kernel has as vfio-pci's module parameters and quirks, for one function.</summary>
public sealed record VfioPciCoreOptions
{
    /// <summary>
    /// The functions of this process that know of each other: hot reset and VF tokens reach no further. One for a host; by default a
    /// function is alone.
    /// </summary>
    public DeviceSets Sets { get; init; } = new();

    /// <summary>
    /// The function's INTx does not work: no pin and no interrupt is shown, and Interrupt Disable is held in the hardware (<c>nointx</c>).
    /// </summary>
    public bool HideIntx { get; init; }

    /// <summary>No VGA region, whatever the function decodes (<c>disable_vga</c>).</summary>
    public bool DisableVga { get; init; }
}
