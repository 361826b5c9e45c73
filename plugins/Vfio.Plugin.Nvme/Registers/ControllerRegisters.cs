namespace Vfio.Plugin.Nvme.Registers;

/// <summary>The controller registers that this driver looks at, in BAR 0. Source: NVM Express Base Specification 2.3, 3.1.4.</summary>
internal static class ControllerRegisters
{
    /// <summary>Where the registers end and the doorbells begin.</summary>
    public const ulong DoorbellOffset = 0x1000;

    /// <summary>CAP, Controller Capabilities.</summary>
    public static readonly RegisterRange Capabilities = new(0x00, 8);

    /// <summary>NSSR, NVM Subsystem Reset: a write of "NVMe" resets every controller of the subsystem.</summary>
    public static readonly RegisterRange SubsystemReset = new(0x20, 4);

    /// <summary>CAP.NSSRS, bit 36: NVM Subsystem Reset Supported. As bytes of CAP.</summary>
    public static ReadOnlySpan<byte> SubsystemResetSupported => [0, 0, 0, 0, 0x10, 0, 0, 0];
}
