using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>A function's own interrupts, towards the function: the core sets them up, the function fires them. Thread-safe.</summary>
public interface IInterruptLines
{
    /// <summary>How many interrupts the function has of a kind: INTx 0 or 1, MSI its capable vectors, MSI-X its table size.</summary>
    /// <param name="index"><see cref="IrqIndex.Intx"/>, <see cref="IrqIndex.Msi"/> or <see cref="IrqIndex.Msix"/>.</param>
    int Count(IrqIndex index);

    /// <summary>Whether MSI-X vectors can be added after MSI-X was enabled.</summary>
    bool DynamicMsix { get; }

    /// <summary>Turns a kind on; at most one is on at a time.</summary>
    /// <param name="index">The kind.</param>
    /// <param name="vectors">How many vectors; 1 for INTx.</param>
    /// <returns>The vectors obtained: fewer than asked means none was turned on and so many can be had.</returns>
    VfioResult<int> Enable(IrqIndex index, int vectors);

    /// <summary>
    /// Turns a kind off and forgets its triggers; nothing is signalled after it has returned. Does nothing if the kind is off.
    /// </summary>
    /// <param name="index">The kind.</param>
    void Disable(IrqIndex index);

    /// <summary>Says where an MSI or MSI-X vector signals. The old trigger is not signalled any more once this has returned.</summary>
    /// <param name="index"><see cref="IrqIndex.Msi"/> or <see cref="IrqIndex.Msix"/>.</param>
    /// <param name="vector">The vector, below what was enabled (any of the table if <see cref="DynamicMsix"/>).</param>
    /// <param name="eventFd">Where to add 1; null for nowhere. It stays the caller's, who keeps it open until it is replaced.</param>
    VfioResult SetTrigger(IrqIndex index, int vector, SafeFileHandle? eventFd);

    /// <summary>Whether the function holds its INTx line asserted.</summary>
    bool IntxAsserted { get; }

    /// <summary>Says whom the function tells when its INTx line becomes asserted while INTx is enabled; null for no one.</summary>
    /// <param name="asserted">Called on the function's thread; must not block.</param>
    void OnIntxAsserted(Action? asserted);
}
