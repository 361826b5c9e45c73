namespace Vfio.Simulation.Pci;

/// <summary>
/// What sits behind a function: the device-specific part of it. Thread-safe; register accesses return fast and start no transfer.
/// </summary>
internal interface IFunctionDevice
{
    /// <summary>Reads a register of a BAR that decodes.</summary>
    ulong ReadRegister(int bar, ulong offset, int width);

    /// <summary>Writes a register of a BAR that decodes.</summary>
    void WriteRegister(int bar, ulong offset, int width, ulong value);

    /// <summary>The part of a BAR that a client may map; null for none.</summary>
    RegionMapping? Mapping(int bar);

    /// <summary>Something that the device waits for may have changed: it may master the bus again.</summary>
    void Wake();

    /// <summary>Completes when the device's thread is past everything it had begun.</summary>
    Task RestAsync();

    /// <summary>Resets the device; completes when its thread has done so.</summary>
    Task ResetAsync();
}
