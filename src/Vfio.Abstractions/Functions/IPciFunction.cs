namespace Vfio;

/// <summary>A PCI function as a back end has it: what the core sits on, and a variant never sees past. Thread-safe.</summary>
/// <remarks>
/// A raw function answers like hardware: all of configuration space as the device has it, BARs that decode nothing while COMMAND says so,
/// no virtual bits. Every access is one aligned access of the asked width.
/// </remarks>
public interface IPciFunction
{
    /// <summary>Where it sits.</summary>
    PciAddress Address { get; }

    /// <summary>What it is; for a VF the identity that software gives it (its own registers read FFFFh).</summary>
    PciId Id { get; }

    /// <summary>A word for people: the simulated model, or the driver of the back end; null if there is none.</summary>
    string? Model { get; }

    /// <summary>Who virtualizes its configuration space.</summary>
    FunctionVirtualization Virtualization { get; }

    /// <summary>The PF whose VF this is; null for a PF or a function without SR-IOV.</summary>
    PciAddress? PhysicalFunction { get; }

    /// <summary>The VF's index, from 0; -1 if it is no VF.</summary>
    int VirtualFunctionIndex { get; }

    /// <summary>Size of configuration space: 256 or 4096.</summary>
    int ConfigSize { get; }

    /// <summary>Reads configuration space.</summary>
    /// <param name="offset">Aligned to the width, inside <see cref="ConfigSize"/>.</param>
    /// <param name="width">1, 2 or 4.</param>
    /// <returns>The value; all ones where the function does not answer.</returns>
    uint ReadConfig(int offset, int width);

    /// <summary>Writes configuration space, with the side effects that the hardware has.</summary>
    /// <param name="offset">Aligned to the width, inside <see cref="ConfigSize"/>.</param>
    /// <param name="width">1, 2 or 4.</param>
    /// <param name="value">The value.</param>
    void WriteConfig(int offset, int width, uint value);

    /// <summary>A BAR or the ROM.</summary>
    /// <param name="index">
    /// <see cref="RegionIndex.Bar0"/> to <see cref="RegionIndex.Rom"/>, or <see cref="RegionIndex.Vga"/> for the legacy VGA memory and
    /// ports at their bus addresses, which a display controller decodes.
    /// </param>
    /// <returns>The BAR; null where the function has none (the upper half of a 64-bit BAR included).</returns>
    IPciBar? Bar(int index);

    /// <summary>The function's interrupts.</summary>
    IInterruptLines Interrupts { get; }

    /// <summary>How it can be reset, in the order in which the kernel tries.</summary>
    IReadOnlyList<FunctionResetMethod> ResetMethods { get; }

    /// <summary>Resets the function: when it has returned, the function does nothing on behalf of what came before.</summary>
    /// <remarks>
    /// It first cancels its transfers (<see cref="IDmaSpace.CancelTransfers"/>), because their other side may be waiting for this reset.
    /// Registers come back at their defaults; saving and restoring configuration is the caller's business. What was set up through
    /// <see cref="Interrupts"/> is wiring of the host's and survives: an enabled kind stays enabled, with its triggers. Called once the
    /// caller has stopped every access of its own.
    /// </remarks>
    /// <param name="method">One of <see cref="ResetMethods"/>.</param>
    /// <param name="cancellationToken">Gives up waiting; the function may then be in any state but running.</param>
    /// <returns>ENOTTY: not a method of this function. ETIMEDOUT: it did not come back. EAGAIN: busy, try again.</returns>
    ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken);

    /// <summary>The slot or bus that is reset as a whole with this function; null where there is none, as on a root bus.</summary>
    IHotResetDomain? HotResetDomain => null;

    /// <summary>
    /// Says whom to tell of an uncorrectable error that the function has reported (AER); null for no one. A back end that sees none never
    /// calls.
    /// </summary>
    /// <param name="reported">Called on any thread; must not block.</param>
    void OnUncorrectableError(Action? reported)
    {
    }

    /// <summary>Says which memory the function's DMA reaches; null for none, which every transfer then fails against.</summary>
    /// <param name="dma">The space. When this has returned, the former one is not used any more.</param>
    void ConnectDma(IDmaSpace? dma);

    /// <summary>Whether all of its DMA goes through the space that it was connected to.</summary>
    bool IsDmaMediated => false;

    /// <summary>
    /// The function as the vfio device that the kernel, or another process, has made of it already; null for a raw function. Whoever uses
    /// it opens and closes it; the members above then reach the function through it, and only while it is open.
    /// </summary>
    VfioDevice? Virtualized => null;
}

/// <summary>Who virtualizes a function's configuration space: never both.</summary>
public enum FunctionVirtualization
{
    /// <summary>Nobody below: the core applies its full permission tables.</summary>
    Raw,

    /// <summary>The kernel (or the vfio-user server below) did: the core applies only what a variant adds.</summary>
    ByKernel,
}

/// <summary>How a function can be reset. Source: the kernel's <c>pci_reset_fn_methods</c>.</summary>
public enum FunctionResetMethod
{
    /// <summary>A quirk of the device.</summary>
    DeviceSpecific,

    /// <summary>PCI Express FLR.</summary>
    Flr,

    /// <summary>Advanced Features FLR.</summary>
    AfFlr,

    /// <summary>D3hot and back.</summary>
    PowerManagement,

    /// <summary>The secondary bus or the slot.</summary>
    Bus,
}
