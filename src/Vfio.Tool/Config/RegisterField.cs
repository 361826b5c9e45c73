namespace Vfio.Tool.Config;

/// <summary>
/// A register of configuration space, and what its bits are called. Names are those of the PCI specifications, as lspci shortens them.
/// </summary>
/// <param name="Name">The register's name.</param>
/// <param name="Offset">From the start of the header or the capability.</param>
/// <param name="Width">1, 2, 4 or 8 bytes.</param>
/// <param name="Bits">Its fields; none where the number says it all.</param>
internal sealed record RegisterField(string Name, int Offset, int Width, params BitField[] Bits);

/// <summary>A field of a register.</summary>
/// <param name="Name">Its name; a single bit shows as <c>Name+</c> or <c>Name-</c>.</param>
/// <param name="Shift">Its lowest bit.</param>
/// <param name="Width">How many bits.</param>
/// <param name="Values">What its values are called, from 0; null for the number.</param>
internal sealed record BitField(string Name, int Shift, int Width = 1, string[]? Values = null)
{
    public string Show(ulong register)
    {
        var value = (register >> Shift) & ((1ul << Width) - 1);
        if (Values is { } names && value < (ulong)names.Length)
            return $"{Name}={names[value]}";
        return Width == 1 ? $"{Name}{(value == 0 ? '-' : '+')}" : $"{Name}={value}";
    }
}

/// <summary>A capability: its name, and its registers.</summary>
internal sealed record CapabilityLayout(string Name, params RegisterField[] Registers);
