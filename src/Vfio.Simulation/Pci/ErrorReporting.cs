namespace Vfio.Simulation.Pci;

/// <summary>
/// Advanced Error Reporting of one function: what an error sets, and whether the function reports it. Source: PCI Express Base
/// Specification, 6.2.5 and 6.2.6; 9.4.3.2 for VFs.
/// </summary>
/// <param name="config">The function's registers.</param>
/// <param name="express">Where its PCI Express capability lies.</param>
/// <param name="capability">Where its AER capability lies.</param>
/// <param name="physical">The PF's, whose mask, severity and enables count for a VF; null for a PF.</param>
internal sealed class ErrorReporting(ConfigSpace config, int express, int capability, ErrorReporting? physical)
{
    private readonly Lock _reporting = new();

    private ErrorReporting Controlling => physical ?? this;

    private uint Mask => config.Read(capability + Capabilities.ErrorReporting.UncorrectableMask, 4);

    private uint Severity => config.Read(capability + Capabilities.ErrorReporting.UncorrectableSeverity, 4);

    private uint Enables => config.Read(express + Capabilities.Express.DeviceControl, 2);

    private bool SystemErrors => (config.Read(ConfigOffset.Command, 2) & ConfigOffset.CommandSystemError) != 0;

    /// <summary>What a host does that handles errors: has the function report all of them.</summary>
    internal void Enable()
    {
        var at = express + Capabilities.Express.DeviceControl;
        config.Write(at, 2, config.Read(at, 2) | Capabilities.Express.ErrorEnables);
    }

    /// <summary>The function detects an uncorrectable error.</summary>
    /// <returns>Whether it sends a message.</returns>
    internal bool Detect(UncorrectableError error)
    {
        var bit = 1u << (int)error;
        if (physical is not null && (bit & Capabilities.ErrorReporting.VirtualUncorrectable) == 0)
            return false;
        lock (_reporting)
        {
            var fatal = (Controlling.Severity & bit) != 0;
            var detected = fatal ? Capabilities.Express.FatalDetected : Capabilities.Express.NonFatalDetected;
            if (error == UncorrectableError.UnsupportedRequest)
                detected |= Capabilities.Express.UnsupportedRequestDetected;
            Set(express + Capabilities.Express.DeviceStatus, detected);
            var masked = (Controlling.Mask & bit) != 0;
            if (!masked)
                NoteFirst(error);
            Set(capability + Capabilities.ErrorReporting.UncorrectableStatus, bit);
            if (masked)
                return false;
            if (Controlling.SystemErrors)
            {
                Set(ConfigOffset.Status, ConfigOffset.StatusSystemError);
                return true;
            }

            return (Controlling.Enables & (fatal ? Capabilities.Express.FatalEnable : Capabilities.Express.NonFatalEnable)) != 0;
        }
    }

    // The pointer stays with the first error until software has cleared that one.
    private void NoteFirst(UncorrectableError error)
    {
        const uint Pointer = Capabilities.ErrorReporting.FirstErrorPointer;
        const int Control = Capabilities.ErrorReporting.Control;
        var first = (int)(config.Read(capability + Control, 4) & Pointer);
        if ((config.Read(capability + Capabilities.ErrorReporting.UncorrectableStatus, 4) & (1u << first)) == 0)
            config.Set(capability + Control, Pointer, (uint)error);
    }

    private void Set(int register, uint bits) => config.Set(register, bits, bits);
}
