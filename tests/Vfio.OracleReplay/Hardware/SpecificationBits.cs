namespace Vfio.OracleReplay.Hardware;

/// <summary>
/// Registers that the PCI specifications say can be written, by capability. A recording tells which bits the hardware really has where
/// writes reach it; for a register that VFIO keeps from the hardware it cannot tell, and there the specification speaks.
/// </summary>
/// <remarks>Source: PCI Local Bus 3.0, 6; PCI Power Management 1.2; PCI-X 2.0; PCI Express Base 6.0, 7; SR-IOV in the latter.</remarks>
internal static class SpecificationBits
{
    /// <summary>COMMAND and what else of the header is not a BAR.</summary>
    public static IReadOnlyList<SpecifiedRegister> Header { get; } =
    [
        new(0x04, 2, 0x0547, ClearedByReset: true), new(0x0C, 1, 0xFF, ClearedByReset: true), new(0x0D, 1, 0xFF, ClearedByReset: true),
        new(0x3C, 1, 0xFF, Kept: true, ClearedByReset: true),
    ];

    /// <summary>Registers of the standard capabilities.</summary>
    public static IReadOnlyDictionary<int, SpecifiedRegister[]> Standard { get; } = new Dictionary<int, SpecifiedRegister[]>
    {
        // The power state; PME_En, which no guest gets to.
        [0x01] = [new(4, 2, 0x0003), new(4, 2, 0x0100, Kept: true)],
        [0x03] = [new(2, 2, 0xFFFF), new(4, 4, 0xFFFFFFFF)],
        // The message itself differs with the capability's flags: MsiRegisters.
        [0x05] = [new(2, 2, 0x0071, Kept: true, ClearedByReset: true)],
        [0x07] = [new(2, 2, 0x007F, ClearedByReset: true)],
        [0x11] = [new(2, 2, 0xC000, Kept: true, ClearedByReset: true)],
    };

    /// <summary>Registers of the extended capabilities.</summary>
    public static IReadOnlyDictionary<int, SpecifiedRegister[]> Extended { get; } = new Dictionary<int, SpecifiedRegister[]>
    {
        [0x01] = [new(8, 4, 0x03FFF031), new(0xC, 4, 0x03FFF031), new(0x14, 4, 0x0000F1C1), new(0x18, 4, 0x0140)],
        [0x0D] = [new(6, 2, 0x007F, Kept: true)],
        [0x0F] = [new(6, 2, 0x801F, Kept: true)],
        [0x10] = [new(8, 2, 0x001F, Kept: true), new(0x10, 2, 0xFFFF, Kept: true), new(0x20, 4, 0xFFFFFFFF, Kept: true)],
        [0x13] = [new(4, 2, 0x0001, Kept: true), new(0x0C, 4, 0xFFFFFFFF, Kept: true)],
        [0x15] = [new(8, 4, 0x00003F00, Kept: true)],
        [0x18] = [new(4, 4, 0x1FFF1FFF, Kept: true)],
        [0x1B] = [new(6, 2, 0x0007, Kept: true)],
    };

    /// <summary>The registers of a PCI Express capability: version 1 has no second set, and an integrated endpoint no link.</summary>
    /// <param name="flags">Its PCI Express Capabilities.</param>
    public static IEnumerable<SpecifiedRegister> Express(int flags)
    {
        const int Version = 0xF;
        var (hasSecond, hasLink) = ((flags & Version) > 1, (flags & Registers.ExpressTypeMask) != Registers.IntegratedEndpoint);
        // Initiate Function Level Reset reads as 0 and is not among them; the payload is virtual.
        yield return new(8, 2, 0x7F1F, ClearedByReset: true);
        yield return new(8, 2, 0x00E0, Kept: true, ClearedByReset: true);
        if (hasLink)
            yield return new(0x10, 2, 0x01FB, Kept: true, ClearedByReset: true);
        if (hasSecond)
            yield return new(0x28, 2, 0xFFFF, ClearedByReset: true);
        if (hasSecond && hasLink)
            yield return new(0x30, 2, 0xFFFF, Kept: true, ClearedByReset: true);
    }

    /// <summary>The message registers of an MSI capability.</summary>
    /// <param name="flags">Its Message Control.</param>
    public static IEnumerable<SpecifiedRegister> MsiMessage(int flags)
    {
        const int Is64 = 0x80;
        yield return new(4, 4, 0xFFFFFFFC, Kept: true, ClearedByReset: true);
        if ((flags & Is64) != 0)
            yield return new(8, 4, 0xFFFFFFFF, Kept: true, ClearedByReset: true);
        yield return new((flags & Is64) != 0 ? 12 : 8, 2, 0xFFFF, Kept: true, ClearedByReset: true);
    }
}

/// <summary>A register of the specification.</summary>
/// <param name="Offset">From the start of the header or of its capability.</param>
/// <param name="Width">1, 2 or 4 bytes.</param>
/// <param name="Writable">The bits that software may write.</param>
/// <param name="Kept">VFIO keeps writes of it from the hardware, so that no recording can tell which bits can be written.</param>
/// <param name="ClearedByReset">A reset of the function clears it, and the kernel puts it back after each reset.</param>
internal readonly record struct SpecifiedRegister(int Offset, int Width, uint Writable, bool Kept = false, bool ClearedByReset = false);
