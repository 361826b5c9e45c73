using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>A VFIO_DEVICE_SET_IRQS request, as the front end received it; nothing in it is checked yet.</summary>
/// <remarks>
/// The descriptors belong to the front end until <see cref="VfioDevice.SetIrqs"/> is called; from then on the device owns every one of
/// them, and disposes those that it does not keep, whatever it answers.
/// </remarks>
public readonly ref struct IrqSet
{
    /// <summary>One DATA bit and one ACTION bit, VFIO_IRQ_SET_*, exactly as they came.</summary>
    public IrqSetFlags Flags { get; init; }

    /// <summary>The IRQ index as it came; may be out of range.</summary>
    public uint Index { get; init; }

    /// <summary>The first sub-index.</summary>
    public uint Start { get; init; }

    /// <summary>How many sub-indexes.</summary>
    public uint Count { get; init; }

    /// <summary>One byte for each sub-index, with <see cref="IrqSetFlags.DataBool"/>.</summary>
    public ReadOnlySpan<byte> Bools { get; init; }

    /// <summary>
    /// One eventfd or null (the uAPI's -1) for each sub-index, with <see cref="IrqSetFlags.DataEventFd"/>; empty stands for all null.
    /// </summary>
    public ReadOnlySpan<SafeFileHandle?> EventFds { get; init; }

    /// <summary>Disposes every descriptor of the request: for a device that refuses it.</summary>
    public void DisposeEventFds()
    {
        foreach (var fd in EventFds)
            fd?.Dispose();
    }
}

/// <summary>VFIO_IRQ_SET_*.</summary>
[Flags]
public enum IrqSetFlags : uint
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>No data: the action concerns every sub-index.</summary>
    DataNone = 1,

    /// <summary>A byte for each sub-index.</summary>
    DataBool = 2,

    /// <summary>An eventfd for each sub-index.</summary>
    DataEventFd = 4,

    /// <summary>The data bits.</summary>
    DataMask = DataNone | DataBool | DataEventFd,

    /// <summary>Mask.</summary>
    ActionMask = 8,

    /// <summary>Unmask.</summary>
    ActionUnmask = 0x10,

    /// <summary>Set up, tear down, or fire.</summary>
    ActionTrigger = 0x20,

    /// <summary>The action bits.</summary>
    ActionTypeMask = ActionMask | ActionUnmask | ActionTrigger,
}
