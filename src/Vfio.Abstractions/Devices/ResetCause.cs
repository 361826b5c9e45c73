namespace Vfio;

/// <summary>Why a function is reset. A variant is told before and after, whatever the cause.</summary>
public enum ResetCause
{
    /// <summary>VFIO_DEVICE_RESET.</summary>
    DeviceReset,

    /// <summary>The guest set Initiate Function Level Reset in PCI Express Device Control.</summary>
    PcieFlr,

    /// <summary>The guest set Initiate FLR in Advanced Features Control.</summary>
    AfFlr,

    /// <summary>A reset of the slot or bus, or a device set.</summary>
    HotReset,

    /// <summary>A transition from D3hot to D0 of a function without No_Soft_Reset.</summary>
    PowerState,

    /// <summary>The client vanished.</summary>
    ClientLost,

    /// <summary>The device is opened: it starts from a reset, as the kernel's open does.</summary>
    Open,

    /// <summary>The device is closed.</summary>
    Close,
}
