namespace Vfio.Core.Tests.Model;

/// <summary>Which function of vfio_pci_config.c reads and writes a byte.</summary>
internal enum Access
{
    /// <summary>No capability: to and from the hardware.</summary>
    Raw,

    /// <summary>By the two masks.</summary>
    Masked,

    /// <summary>From the hardware but for the links; writes are dropped.</summary>
    Direct,

    /// <summary>From the hardware but for the links; writes go to the hardware.</summary>
    DirectRawWrite,
}

/// <summary>One byte of configuration space, as the reference has it.</summary>
internal struct ConfigByte
{
    public ConfigBlock? Block;
    public Access Access;
    public byte Virtual;
    public byte Writable;

    /// <summary>Of a capability whose links the hardware shows.</summary>
    public bool IsMiddle;
}

/// <summary>The header, or a capability that was found.</summary>
internal sealed record ConfigBlock(int Id, int Start, bool IsExtended)
{
    /// <summary>How many bytes it takes, those that a later one lies over included.</summary>
    public int Length { get; init; }

    public bool Overlaps(ConfigBlock other) => Start < other.Start + other.Length && other.Start < Start + Length;
}
