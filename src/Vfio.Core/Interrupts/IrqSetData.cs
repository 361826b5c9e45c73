using Microsoft.Win32.SafeHandles;

namespace Vfio.Core.Interrupts;

/// <summary>The data of a SET_IRQS request.</summary>
internal static class IrqSetData
{
    /// <summary>Whether exactly one kind of data is named, and there is enough of it.</summary>
    public static bool HasItsData(this in IrqSet set) => (set.Flags & IrqSetFlags.DataMask) switch
    {
        IrqSetFlags.DataNone => true,
        IrqSetFlags.DataBool => (uint)set.Bools.Length >= set.Count,
        IrqSetFlags.DataEventFd => set.EventFds.IsEmpty || (uint)set.EventFds.Length >= set.Count,
        _ => false,
    };

    /// <summary>The only eventfd of a request for one interrupt; null for the uAPI's -1.</summary>
    public static SafeFileHandle? FirstEventFd(this in IrqSet set) => set.EventFds.IsEmpty ? null : set.EventFds[0];

    /// <summary>Whether a request for one interrupt, without eventfds, means it: its byte may be 0.</summary>
    public static bool IsMeant(this in IrqSet set) => set.Flags.HasFlag(IrqSetFlags.DataNone) || set.Bools[0] != 0;
}
